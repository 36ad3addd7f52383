"""What a bundle knows of the laboratory that it learned from, and of one that it was adapted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from buffycoat.sites.scale import Sizes
from buffycoat.sites.shift import ShiftReference
from buffycoat.sites.standardise import ColourReference, standardise


@dataclass(frozen=True)
class SiteReference:
    """The training cells' laboratory, as others are compared with it.

    Attributes:
        colour: White and stain strength.
        sizes: Diameters of red and white cells over the side of the whole photograph.
        shift: What batches of training cells look like.
    """

    colour: ColourReference
    sizes: Sizes
    shift: ShiftReference

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        parts = {"colour": self.colour, "sizes": self.sizes, "shift": self.shift}
        return {name: part.to_dict() for name, part in parts.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The reference that `to_dict` wrote."""
        return cls(
            ColourReference.from_dict(values["colour"]),
            Sizes(**values["sizes"]),
            ShiftReference.from_dict(values["shift"]),
        )


@dataclass(frozen=True)
class AdaptedSite:
    """What a bundle was adapted to.

    Attributes:
        name: Of the site, as whoever adapted the bundle called it.
        colour: Its white and stain strength.
        is_standardised: Whether photographs are brought to the training's colours.
        record: How and from what it was adapted, plain values for a reader.
    """

    name: str
    colour: ColourReference
    is_standardised: bool
    record: Mapping[str, Any]

    @property
    def is_changed(self) -> bool:
        """Whether the bundle sees or judges cells otherwise than the one that it was made from."""
        factor = (self.record.get("scale") or {}).get("factor", 1.0)
        return self.is_standardised or factor != 1 or bool(self.record.get("batch_norm_share"))

    @property
    def has_labels(self) -> bool:
        """Whether labelled cells of the site set its temperatures and prediction sets."""
        return "labels" in self.record

    def seen(self, images: np.ndarray, home: SiteReference) -> np.ndarray:
        """Working images (n, w, w, 3), uint8, as the stages see them; same shape."""
        if not self.is_standardised:
            return images
        return standardise(images, home.colour, self.colour).images

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {
            "name": self.name,
            "colour": self.colour.to_dict(),
            "is_standardised": self.is_standardised,
            "record": dict(self.record),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The site that `to_dict` wrote."""
        return cls(
            values["name"],
            ColourReference.from_dict(values["colour"]),
            values["is_standardised"],
            values["record"],
        )
