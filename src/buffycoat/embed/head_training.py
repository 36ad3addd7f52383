"""How the small network on frozen embeddings learns to tell the classes apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from buffycoat.backbones.devices import to_arrays
from buffycoat.config import EmbedConfig
from buffycoat.embed.head import Head
from buffycoat.errors import ShapeError
from buffycoat.losses.cross_entropy import CrossEntropy
from buffycoat.losses.focal import Focal
from buffycoat.losses.supcon import SupCon, has_positive
from buffycoat.optional import choose
from buffycoat.progress import Progress
from buffycoat.training.loop import fit

PAPER_GAMMA = 2.0
"""arXiv 2603.16249."""
ABSENT_COUNT = 0.5
"""Cells that a class without any counts for in the prior: its log must be finite."""

NOISE = {"paper": 0.06, "balanced": 2.0}
"""Recipe -> standard deviation of the Gaussian noise on its inputs. The paper's are embeddings of
length 1 (arXiv 2603.16249), those of "balanced" are standardised (docs/adr/0004)."""
LEAST_SPREAD = 0.1
"""Least deviation that a dimension is scaled by, relative to the mean of all; our choice."""


class HeadNetwork(nn.Module):
    """Layers of (linear, LayerNorm, ReLU, dropout), then a classifier and a projection.

    Args:
        width: Dimensions of an embedding.
        hidden: Units of each layer.
        projection: Dimensions in which the contrastive loss compares cells.
        k: Number of classes.
        dropout: After each layer.
    """

    def __init__(
        self, width: int, hidden: Sequence[int], projection: int, k: int, dropout: float
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for units in hidden:
            layers += [nn.Linear(width, units), nn.LayerNorm(units), nn.ReLU(), nn.Dropout(dropout)]
            width = units
        self.body = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, k)
        self.projection = nn.Linear(width, projection)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits, shape (n, k), of inputs of shape (n, width)."""
        return self.classifier(self.body(inputs))


def train_head(
    embeddings: np.ndarray,
    targets: np.ndarray,
    codes: Sequence[str],
    config: EmbedConfig,
    seed: int,
    on_progress: Progress | None = None,
) -> Head:
    """Train a head on embeddings of cells that it may see.

    "paper" (arXiv 2603.16249): SupCon + focal loss on epochs of oversampled cells. "balanced":
    SupCon + cross-entropy on batches that hold every class alike, at least two cells each and
    drawn with replacement, so the logits are those of a uniform prior; inputs are standardised.

    Args:
        embeddings: Shape (n, d), rows of length 1.
        targets: Shape (n,).
        codes: Class codes in column order; `config.oversample` names them.
        config: The recipe.
        seed: Of initial weights, order, noise and dropout.
        on_progress: Called with (steps done, steps in all).

    Returns:
        The head after the last epoch.

    Raises:
        ConfigError: `config.head` is "off", or `config.oversample` names an unknown class.
        ShapeError: Not one target a row.
    """
    if embeddings.ndim != 2 or len(embeddings) != len(targets) or not len(targets):
        raise ShapeError(
            f"expected embeddings (n, d) and n >= 1 targets, got {embeddings.shape} and "
            f"{len(targets)}"
        )
    sampler = choose(SAMPLERS, config.head, "head")(targets, codes, config)
    centre, scale = _standardisation(embeddings, config.head)
    inputs = ((embeddings - centre) / scale).astype(np.float32)
    torch.manual_seed(seed)
    shape = {
        "width": embeddings.shape[1],
        "hidden": list(config.hidden),
        "projection": config.projection,
        "k": len(codes),
    }
    trainee = _Trainee(HeadNetwork(**shape, dropout=config.dropout), config)
    history = fit(
        trainee,
        lambda epoch: _batches(inputs, targets, sampler, config, (seed, epoch)),
        config.epochs,
        sampler.steps,
        None,
        seed,
        on_progress,
    )
    weights = to_arrays(trainee.network.state_dict())
    return Head(weights, centre, scale, sampler.prior, shape, history[-1])


class _Trainee:
    def __init__(self, network: HeadNetwork, config: EmbedConfig) -> None:
        self.network = network.train()
        self.contrast = SupCon(config.supcon_temperature)
        self.classify = Focal(PAPER_GAMMA) if config.head == "paper" else CrossEntropy()
        self.share = config.supcon_weight
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )

    def step(self, batch: tuple[np.ndarray, np.ndarray]) -> dict[str, torch.Tensor]:
        inputs, targets = (torch.from_numpy(part) for part in batch)
        hidden = self.network.body(inputs)
        contrast = self.contrast(self.network.projection(hidden), targets)
        classify = self.classify(self.network.classifier(hidden), targets)
        loss = self.share * contrast + (1 - self.share) * classify
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return {"loss": loss, "anchors_without_positive": (~has_positive(targets)).float().mean()}

    def state_dict(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])


class BalancedSampler:
    """Batches with every class that has cells, alike, and at least two cells of each."""

    def __init__(self, targets: np.ndarray, codes: Sequence[str], config: EmbedConfig) -> None:
        self.rows = [np.flatnonzero(targets == column) for column in np.unique(targets)]
        self.per_class = max(2, config.batch_size // len(self.rows))
        self.steps = max(1, round(len(targets) / (self.per_class * len(self.rows))))
        self.prior = np.full(len(codes), 1 / len(codes))

    def draw(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """The batches of one epoch, as rows."""
        for _ in range(self.steps):
            yield np.concatenate([rng.choice(rows, self.per_class) for rows in self.rows])


class OversamplingSampler:
    """Each cell repeated as often as its class is to be oversampled, then shuffled."""

    def __init__(self, targets: np.ndarray, codes: Sequence[str], config: EmbedConfig) -> None:
        column = {code: index for index, code in enumerate(codes)}
        self.factor = np.ones(len(codes))
        for code, factor in config.oversample.items():
            self.factor[choose(column, code, "class in embed.oversample")] = factor
        self.targets = targets
        counts = np.bincount(targets, minlength=len(codes))
        self.wanted = np.where(counts > 0, np.maximum(1, np.round(counts * self.factor)), 0)
        self.wanted = self.wanted.astype(np.int64)
        self.batch_size = min(config.batch_size, int(self.wanted.sum()))
        self.steps = int(self.wanted.sum()) // self.batch_size
        shares = np.maximum(self.wanted, ABSENT_COUNT)
        self.prior = shares / shares.sum()

    def draw(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """The batches of one epoch, as rows; the last incomplete one is left out."""
        drawn = []
        for column, wanted in enumerate(self.wanted):
            rows = rng.permutation(np.flatnonzero(self.targets == column))
            if len(rows):
                drawn.append(np.resize(rows, wanted))
        order = rng.permutation(np.concatenate(drawn))
        for step in range(self.steps):
            yield order[step * self.batch_size : (step + 1) * self.batch_size]


SAMPLERS = {"balanced": BalancedSampler, "paper": OversamplingSampler}


def _batches(
    inputs: np.ndarray,
    targets: np.ndarray,
    sampler: BalancedSampler | OversamplingSampler,
    config: EmbedConfig,
    seed: tuple[int, int],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    amount = NOISE[config.head] if config.feature_noise is None else config.feature_noise
    for rows in sampler.draw(rng):
        noise = rng.standard_normal((len(rows), inputs.shape[1]), dtype=np.float32)
        yield inputs[rows] + np.float32(amount) * noise, targets[rows]


def _standardisation(embeddings: np.ndarray, recipe: str) -> tuple[np.ndarray, np.ndarray]:
    width = embeddings.shape[1]
    if recipe == "paper":
        return np.zeros(width, np.float32), np.ones(width, np.float32)
    spread = embeddings.std(axis=0)
    # A dimension that hardly ever fires in training must not drown the rest when it does later.
    least = max(LEAST_SPREAD * float(spread.mean()), 1e-6)
    centre = embeddings.mean(axis=0).astype(np.float32)
    return centre, np.maximum(spread, least).astype(np.float32)
