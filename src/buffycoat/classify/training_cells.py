"""What a classifier learns from: cells, and how an epoch shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from buffycoat.classify.augment import augment, severity_weights
from buffycoat.classify.mix import Mixed, mix
from buffycoat.classify.paste import donor_shares, on_background, paste
from buffycoat.config import ClassifyConfig
from buffycoat.errors import ConfigError, ShapeError
from buffycoat.splits import assign_folds
from buffycoat.taxonomy.grain import class_shares
from buffycoat.training.samplers import draw_epoch, label_weights

INNER_FOLDS = 5
"""One of so many parts of its cells is what a model picks its epoch on."""
PLAIN_SHARE = 0.25
"""How many of the replaced backgrounds are of one colour."""


@dataclass(frozen=True)
class TrainingCells:
    """The cells that a fold's model learns from.

    Attributes:
        images: Working images of all cells, shape (n, w, w, 3), uint8; may be memory-mapped.
        rows: Positions in `images` that this model may see, shape (m,).
        targets: Label of each of those rows, shape (m,): its class, or k + the row of `groups`.
        n_classes: k.
        neighbours: Shape (k, k), bool: classes next to each other on a maturation line; None
            where there is no such line.
        masks: Cell of each image of `images`, shape (n, w, w), bool; None where nothing is pasted.
        patients: Patient of each of the rows, shape (m,); None where patients are unknown.
        reported: The cells that the model will be scored on; None where there are none. Only
            `keep_epoch = "reported"` looks at them.
        groups: Shape (g, k), bool: the classes that each label coarser than a class allows; None
            where all labels are classes.
    """

    images: np.ndarray
    rows: np.ndarray
    targets: np.ndarray
    n_classes: int
    neighbours: np.ndarray | None = None
    masks: np.ndarray | None = None
    patients: np.ndarray | None = None
    reported: TrainingCells | None = None
    groups: np.ndarray | None = None

    @property
    def is_fine(self) -> np.ndarray:
        """Which rows are labelled with a class, not with a group, shape (m,), bool."""
        return self.targets < self.n_classes

    @property
    def counts(self) -> np.ndarray:
        """Cells that are labelled with each class, shape (k,)."""
        return np.bincount(self.targets[self.is_fine], minlength=self.n_classes)

    @property
    def expected_counts(self) -> np.ndarray:
        """Cells of each class, those of a group shared among its classes, shape (k,).

        Whole numbers where there are no groups.
        """
        return self.counts if self.groups is None else self.label_counts @ self.shares

    @property
    def label_counts(self) -> np.ndarray:
        """Cells of each label, shape (t,): k classes, then the groups."""
        return np.bincount(self.targets, minlength=len(self.allowed))

    @property
    def allowed(self) -> np.ndarray:
        """Classes that each label allows, shape (t, k), bool: k classes, then the groups."""
        classes = np.eye(self.n_classes, dtype=bool)
        return classes if self.groups is None else np.concatenate([classes, self.groups])

    @property
    def shares(self) -> np.ndarray:
        """Expected share of each class among the cells of a label, shape (t, k)."""
        return class_shares(self.label_counts, self.allowed)

    def shared_targets(self, share: float) -> np.ndarray:
        """What a cell of each class counts as, shape (k, k), rows sum to 1.

        The neighbours of a class on its maturation line get `share` together, since a cell may
        stand between two stages; a class without neighbours keeps all.
        """
        table = np.eye(self.n_classes)
        if share and self.neighbours is not None:
            has_any = self.neighbours.any(axis=1)
            beside = self.neighbours[has_any] / self.neighbours[has_any].sum(axis=1, keepdims=True)
            table[has_any] = (1 - share) * table[has_any] + share * beside
        return table

    def drawn_counts(self, config: ClassifyConfig, sampler: str) -> np.ndarray:
        """Cells of each class that an epoch shows, pasted ones and shared targets included."""
        shares = self.shares
        drawn = self.label_counts * label_weights(self.label_counts, sampler, shares) @ shares
        drawn = drawn / drawn.sum()
        chance = config.paste_probability
        drawn = (1 - chance) * drawn + chance * donor_shares(self.counts)
        return len(self.targets) * drawn @ self.shared_targets(config.maturation_smoothing)

    def subset(self, chosen: np.ndarray) -> TrainingCells:
        """Some of the rows, by their position among them."""
        patients = None if self.patients is None else self.patients[chosen]
        return replace(
            self, rows=self.rows[chosen], targets=self.targets[chosen], patients=patients
        )

    def split_inside(self, seed: int) -> tuple[TrainingCells, TrainingCells]:
        """Cells to learn from and cells to pick an epoch on: four fifths and one.

        A class of fewer cells than `INNER_FOLDS`, or all of whose cells would be set aside, is
        only learned from. But for such cells, patients stay whole. Cells whose label is coarser
        than a class pick no epoch: those of the part set aside are left out.

        Raises:
            ConfigError: There are too few patients to set some aside.
        """
        try:
            fold = assign_folds(self.targets, self.patients, INNER_FOLDS, seed).fold
        except ConfigError as error:
            raise ConfigError(
                f"keep_epoch='inner' sets a part in {INNER_FOLDS} of a model's cells aside, "
                "patients whole, and there are too few. Set classify.keep_epoch=last"
            ) from error
        is_fine = self.is_fine
        left = np.bincount(self.targets[is_fine & (fold != 0)], minlength=self.n_classes)
        is_shared = (self.counts >= INNER_FOLDS) & (left > 0)
        is_inner = (fold == 0) & is_fine
        is_inner[is_fine] &= is_shared[self.targets[is_fine]]
        is_learned = ~is_inner & (is_fine | (fold != 0))
        return self.subset(np.flatnonzero(is_learned)), self.subset(np.flatnonzero(is_inner))


def batches(
    cells: TrainingCells,
    config: ClassifyConfig,
    batch_size: int,
    seed: int,
    epoch: int,
    part: tuple[int, int] = (0, 1),
) -> Iterator[tuple[Mixed, np.ndarray]]:
    """The batches of one epoch, augmented.

    Everything random follows from seed, epoch and place in the order, so that a cell looks alike
    however many processes share the batches. The last incomplete batch is left out: batch norm is
    fragile on one or two cells.

    Args:
        cells: What is shown.
        config: The recipe.
        batch_size: Cells in a batch, at most as many as there are.
        seed: Of order and augmentation.
        epoch: From 0.
        part: (r, w): this is process r of w, and gets every w-th cell of each batch.

    Yields:
        Images (b, s, s, 3), mixed or not, and the label of each, shape (b,).

    Raises:
        ShapeError: The recipe pastes cells, and there are no masks.
    """
    is_early = epoch < config.early_epochs
    sampler = "instance" if is_early else config.sampler
    order = draw_epoch(cells.targets, sampler, np.random.default_rng((seed, epoch)), cells.shares)
    severities = severity_weights(epoch / config.epochs, config.degrade_ramp)
    rank, world = part
    for step in range(len(order) // batch_size):
        places = range(step * batch_size + rank, (step + 1) * batch_size, world)
        pixels, targets = [], []
        for place in places:
            rng = np.random.default_rng((seed, epoch, place))
            image, target = _show(cells, config, int(order[place]), rng)
            pixels.append(augment(image, rng, config, severities))
            targets.append(target)
        rng = np.random.default_rng((seed, epoch, len(order) + places[0]))
        mixed = mix(np.stack(pixels), config.mix, config.mix_probability, config.mix_alpha, rng)
        yield mixed, np.array(targets)


def _show(
    cells: TrainingCells, config: ClassifyConfig, row: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """A cell's working image and label, or a rare cell's in its place."""
    image, target = cells.images[cells.rows[row]], int(cells.targets[row])
    if cells.masks is None and (config.paste_probability or config.vary.background):
        raise ShapeError(
            "paste_probability or vary.background > 0 needs the masks of the cells; got none"
        )
    if config.vary.background and rng.random() < config.vary.background:
        image = _elsewhere(cells, row, rng)
    if not config.paste_probability or rng.random() >= config.paste_probability:
        return image, target
    assert cells.masks is not None
    target = int(rng.choice(cells.n_classes, p=donor_shares(cells.counts)))
    donor = cells.rows[rng.choice(np.flatnonzero(cells.targets == target))]
    host = cells.rows[row]
    return paste(image, cells.masks[host], cells.images[donor], cells.masks[donor]), target


def _elsewhere(cells: TrainingCells, row: int, rng: np.random.Generator) -> np.ndarray:
    """A cell on the background of any other cell's picture, or, one time in four, a plain one."""
    assert cells.masks is not None
    own, other = cells.rows[row], cells.rows[rng.integers(len(cells.rows))]
    other_cell = cells.masks[other]
    if rng.random() < PLAIN_SHARE:
        other_cell = np.ones_like(other_cell)
    return on_background(cells.images[own], cells.masks[own], cells.images[other], other_cell)
