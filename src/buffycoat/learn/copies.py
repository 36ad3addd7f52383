"""Training cells that are copies of one photograph: they must not be in two folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from buffycoat.audit.pairs import photographs
from buffycoat.audit.scan import scan
from buffycoat.cells import Manifest
from buffycoat.images import decoder_versions
from buffycoat.learn.stage_store import StageStore, digest
from buffycoat.progress import Reporter, Silent
from buffycoat.splits import merge_groups


def find_photographs(
    manifest: Manifest,
    digests: Sequence[str],
    store: StageStore,
    reporter: Reporter | None = None,
) -> np.ndarray:
    """Which photograph each cell shows, by the audit's search and by the column `original_id`.

    Embeddings are not compared: they add no copy that landmarks and hashes miss (docs/adr/0014).

    Args:
        manifest: n training cells, all readable.
        digests: Fingerprint of each cell's file.
        store: Keeps what was found.
        reporter: Progress.

    Returns:
        Shape (n,), int64; copies have one number.
    """
    advance = (reporter or Silent()).advance
    found = store.run(
        "copies",
        {"files": digest(*digests), "decoders": decoder_versions()},
        lambda _: (
            {"photograph": photographs(scan(manifest, on_progress=advance), advance)},
            {},
        ),
    )
    pairs = zip(manifest.column("original_id"), manifest.column("cell_id"), strict=True)
    stated = [cell if pd.isna(original) else original for original, cell in pairs]
    return merge_groups(found.arrays["photograph"], np.array(stated, dtype=str))
