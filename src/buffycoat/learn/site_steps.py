"""The steps that bring a bundle to a site without labels, one function each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.learn.batch_norm import reestimate
from buffycoat.learn.fit_home import sizes
from buffycoat.predict.background import as_seen
from buffycoat.sites.colour import measure
from buffycoat.sites.reference import AdaptedSite, SiteReference
from buffycoat.sites.scale import Magnification, compare
from buffycoat.sites.standardise import ColourReference

WIDEST_FRAME = 1.0
"""Share of a photograph's shorter side that can be taken at most: beyond it there are no pixels."""


def framed(fitted: Fitted, home: SiteReference, manifest: Manifest) -> tuple[Fitted, Magnification]:
    """The bundle with a frame in which the site's cells have the training's size, and its factor.

    Args:
        fitted: The bundle.
        home: Of its training cells.
        manifest: The site's cells.
    """
    images = fitted.config.images
    found = compare(sizes(manifest, images, fitted.config.segment), home.sizes)
    fraction = min(images.frame_fraction * found.factor, WIDEST_FRAME)
    images = images.model_copy(update={"frame_fraction": round(fraction, 4)})
    return replace(fitted, config=fitted.config.model_copy(update={"images": images})), found


def coloured(fitted: Fitted, images: np.ndarray, name: str) -> Fitted:
    """The bundle that brings photographs to the training's white and stain strength.

    Args:
        fitted: The bundle.
        images: Working images of the site's cells, shape (n, w, w, 3), uint8.
        name: Of the site.
    """
    return replace(fitted, site=AdaptedSite(name, ColourReference.of(measure(images)), True, {}))


def normed(fitted: Fitted, images: np.ndarray) -> Fitted:
    """The bundle with batch norms that expect what the site's cells give.

    Args:
        fitted: The bundle.
        images: Working images of the site's cells, shape (n, w, w, 3), uint8.
    """
    seen = as_seen(images, fitted)
    return replace(fitted, models=tuple(reestimate(model, seen) for model in fitted.models))
