"""How a plain classifier calls drawn cells: a population for simulated patients with blasts.

Each cell is called by the nearest class mean of the starter's frozen embeddings, fitted on as many
other drawn cells. Drawings differ more plainly than cells do: no figure says how a model does on
patients.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from buffycoat.evaluate.metrics import confusion
from buffycoat.taxonomy import WBCBENCH


def rendered_population(n: int, seed: int, size_px: int = 160) -> np.ndarray:
    """Drawn cells by their calls, shape (k, k): n a class, classes as in WBCBench."""
    from buffycoat.embed.prototypes import Prototypes
    from buffycoat.predict.embedder import make_embedder
    from buffycoat.predict.predictor import Pipeline
    from buffycoat.simulate.render import render_cell

    k = len(WBCBENCH)
    targets = np.repeat(np.arange(k), n)
    embeddings = []
    with tempfile.TemporaryDirectory() as cache:
        embed = make_embedder(Pipeline.load("starter").fitted, Path(cache))
        for part in range(2):
            drawn = (
                render_cell(code, np.random.default_rng([seed, part, column, i]), size_px).image
                for column, code in enumerate(WBCBENCH.codes)
                for i in range(n)
            )
            embeddings.append(np.concatenate([embed(batch) for batch in batched(drawn, 128)]))
    means = Prototypes.fit(embeddings[0], targets, k)
    return confusion(targets, means.logits(embeddings[1]).argmax(axis=1), k)


def batched(cells: Iterable[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    """Lists of so many, the last one of what is left."""
    iterator = iter(cells)
    while batch := list(islice(iterator, size)):
        yield batch
