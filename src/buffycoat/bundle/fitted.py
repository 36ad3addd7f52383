"""Everything that a run learned, as prediction needs it; `files.py` puts it into a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from buffycoat.bundle.restoration import Restoration
from buffycoat.classify.cascade import Cascade
from buffycoat.classify.ensemble import FoldModel
from buffycoat.config import Config
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.gallery import Gallery
from buffycoat.embed.outliers import OutlierModel
from buffycoat.embed.panel import HEAD, Panel
from buffycoat.errors import ConfigError
from buffycoat.fuse.label_rule import MACRO_F1, NONE, LabelRule, Objective, PowerFit, rule_of
from buffycoat.fuse.prior import given, prior_of
from buffycoat.fuse.stack import Stack
from buffycoat.refine.abroad import AbroadLimits
from buffycoat.refine.decide import Conformal, Distributions
from buffycoat.refine.rescue import RescueRules
from buffycoat.sites.reference import AdaptedSite, SiteReference
from buffycoat.sites.shift import Shift
from buffycoat.taxonomy import Taxonomy
from buffycoat.taxonomy.grain import expected_counts


@dataclass(frozen=True)
class Fitted:
    """Everything that a run learned.

    Attributes:
        config: The settings of the run.
        taxonomy: The classes.
        counts: Training cells labelled with each class, shape (k,).
        restoration: Severity, restorer and gate.
        models: The classifier: one model a fold, and last the refits if there are any.
        temperatures: Of each of these models.
        use: What the classifier sees: "original", "restored" or "both".
        encoder: Of the second opinions.
        panels: Second opinions by kind, in the order in which the stack was offered them.
        outliers: How strange an embedding is.
        gallery: Names, classes and embeddings of the training cells.
        stack: How members become one score.
        rules: Rescue of tail classes.
        conformal: Sets of classes that cannot be ruled out.
        distributions: Of the features in each class.
        provenance: Data, licences, versions, the line to print before a prediction.
        coarse_counts: Group -> training cells labelled with it.
        cascade: When the classifier need not look at further views of a cell; None for never.
        home: The laboratory of the training cells; None in bundles that did not record it.
        site: The laboratory that the bundle was adapted to, if it was.
        abroad: Limits for cells of a laboratory that training has not seen; None where none could
            be fitted, or none were yet.
        power_fit: What maximised macro-F1 out of fold; None in bundles that did not fit it.
        asked: What labels shall maximise; None for what the bundle does by itself. Not stored.
    """

    config: Config
    taxonomy: Taxonomy
    counts: np.ndarray
    restoration: Restoration
    models: tuple[FoldModel, ...]
    temperatures: tuple[float, ...]
    use: str
    encoder: Encoder
    panels: Mapping[str, Panel]
    outliers: OutlierModel
    gallery: Gallery
    stack: Stack
    rules: RescueRules
    conformal: Conformal
    distributions: Distributions
    provenance: Mapping[str, Any]
    coarse_counts: Mapping[str, int] = field(default_factory=dict)
    cascade: Cascade | None = None
    home: SiteReference | None = None
    site: AdaptedSite | None = None
    abroad: AbroadLimits | None = None
    power_fit: PowerFit | None = None
    asked: Objective | None = None

    @property
    def label_counts(self) -> dict[str, int]:
        """Code of a class or group -> training cells labelled with it."""
        stated = dict(zip(self.taxonomy.codes, self.counts.tolist(), strict=True))
        return stated | dict(self.coarse_counts)

    @property
    def expected_counts(self) -> np.ndarray:
        """Training cells of each class, those of a group shared among its classes, shape (k,)."""
        return expected_counts(self.taxonomy, self.label_counts)

    @property
    def is_uniform(self) -> bool:
        """Whether scores have the class mix of the training taken out."""
        return self.config.fuse.prior != "as_trained"

    def is_abroad(self, shift: Shift | None) -> bool:
        """Whether the limits for laboratories that training has not seen apply.

        Args:
            shift: How unlike the training cells they look; None where that is not known.
        """
        if self.site is not None and self.site.has_labels:
            return False  # its probabilities and sets were fitted again, on labels of that site
        is_adapted = self.site is not None and self.site.is_changed
        return is_adapted or (shift is not None and shift.is_alarm)

    def without_idle_panels(self) -> Fitted:
        """The same system, less the second opinions that neither stack nor rules ask."""
        asked = {kind for kind, weight in self.stack.weights.items() if weight > 0}
        if self.rules.is_head_needed:
            asked.add(HEAD)
        kept = {kind: panel for kind, panel in self.panels.items() if kind in asked}
        return replace(self, panels=kept)

    def optimising(self, objective: Objective | None) -> Fitted:
        """The same system, whose labels maximise a score; probabilities and sets stay.

        Args:
            objective: What to maximise; None for what the bundle does by itself.

        Raises:
            ConfigError: Its mix is wrong, or the scores are of unknown mix (`as_trained`).
        """
        asked = replace(self, asked=objective)
        asked.rule_at(None)
        return asked

    def rule_at(self, prior: str | None) -> LabelRule | None:
        """How the label follows from probabilities; None where it is the most probable class.

        A bundle that maximises a score by itself does not where a person states a prior.

        Args:
            prior: As in `prior`.

        Raises:
            ConfigError: The mix that was asked for is wrong, or the scores are of unknown mix
                (`as_trained`).
        """
        objective = self.asked
        if objective is None:
            has_own = self.power_fit is not None and self.power_fit.is_default
            objective = Objective(MACRO_F1 if has_own and prior is None else NONE)
        if objective.score == NONE:
            return None
        if not self.is_uniform:
            raise ConfigError(
                f"labels cannot maximise {objective.words}: this bundle leaves its scores as "
                "trained, at a mix of classes that nobody stated. Train with fuse.prior=uniform"
            )
        return rule_of(objective, self.prior(objective.mix), self.power_fit)

    def cascade_at(self, prior: str | None) -> Cascade | None:
        """When views stop early at a class mix: never at another than it was fitted for.

        Args:
            prior: As in `prior`.
        """
        even = np.full(len(self.taxonomy), 1 / len(self.taxonomy))
        return self.cascade if np.allclose(self.prior(prior), even) else None

    def prior(self, name: str | None = None) -> np.ndarray:
        """The class mix that labels assume, shape (k,); that of the settings by default.

        Args:
            name: "uniform", "train", or a mix as `fuse.prior.given` reads it.

        Raises:
            ConfigError: The mix is wrong, or the scores are of unknown mix (`as_trained`), so
                that they cannot be moved to one that is asked for.
        """
        if name is not None and not self.is_uniform:
            raise ConfigError(
                f"prior {name!r}: this bundle leaves its scores as trained, at a mix of classes "
                "that nobody stated, so they cannot be moved to another. Leave the prior out, or "
                "train with fuse.prior=uniform"
            )
        if name is not None and "=" in name:
            return given(name, self.taxonomy.codes)
        return prior_of(name or self.config.fuse.prior, self.expected_counts)
