"""Noise, blur and illumination faults at severity 0-4, for training and for tests.

No official sigma, kernel or gamma of WBCBench's degradation is public. Every range here and in
`faults` is **ours**: wide enough to cover the degraded training images of PBC-LT that we looked
at (coloured noise, salt and pepper, defocus, motion, vignettes, darkening, colour casts), and
never fitted to evaluation images. Only `paper_noise` has published constants.

Lengths are fractions of the shorter image side, so a crop of 360 px and its copy of 160 px are
blurred alike. Noise is per pixel at the size it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from buffycoat.errors import ConfigError, ShapeError
from buffycoat.optional import choose
from buffycoat.simulate.faults import FAULTS, GROUPS, KINDS, KINDS_IN_ORDER, to_uint8

__all__ = [
    "GROUPS",
    "KINDS",
    "degrade",
    "degrade_labelled",
    "draw_severity",
    "paper_noise",
    "random_degrade",
]

MAX_SEVERITY = 4
SEVERITY_WEIGHTS = (0.0, 0.25, 0.25, 0.25, 0.25)
"""Chance of severity 0, 1, 2, 3, 4 when none is asked for."""

STRENGTH_SPREAD = 0.7
"""Half-width of a severity's strength, in steps of severity: neighbours overlap a little."""
MIN_STRENGTH = 0.06
GROUP_COUNT_WEIGHTS = {
    1: (0.8, 0.15, 0.05),
    2: (0.7, 0.2, 0.1),
    3: (0.6, 0.25, 0.15),
    4: (0.5, 0.3, 0.2),
}
"""Severity -> chance that one, two or three groups go wrong together."""
GROUP_COUNT_STRENGTH = (1.0, 0.85, 0.75)
JPEG_CHANCE = 0.5
JPEG_QUALITY = (70, 95)

PAPER_SIGMA = 80.0 * 1.7
"""Per-channel noise sigma in gray levels; arXiv 2603.16249, restoration stage."""
PAPER_LUMINANCE = (0.6, 0.8)
"""Offset and slope of the noise amplitude against gray in 0-1; same source."""
PAPER_COVERAGE = (0.95, 0.99)
"""Share of cell pixels that get noise; same source."""
PAPER_DARKENING = 0.7
"""Factor on the cell's pixels; same source."""
PAPER_WHITE = 245
"""Gray level from which the source counts a pixel as painted-out background."""

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def degrade(
    image: np.ndarray,
    severity: int,
    rng: np.random.Generator,
    kinds: Sequence[str] | None = None,
    groups: Sequence[str] = tuple(GROUPS),
) -> np.ndarray:
    """Degrade an image.

    Args:
        image: Shape (h, w, 3), uint8 RGB.
        severity: 0 (nothing) to 4.
        rng: The only source of randomness: equal state, equal output.
        kinds: Names from `KINDS`, all applied, in the order light, blur, noise; None draws a
            combination: mostly one group, sometimes two or three, more often at high severity.
        groups: Names from `GROUPS` that a combination is drawn from.

    Returns:
        A new array of the same shape, uint8. Half of the degraded ones pass through JPEG at
        quality 70-95, as those of the public data sets did.

    Raises:
        ConfigError: Severity is not an integer in 0-4, or a kind is unknown.
        ShapeError: The image is not (h, w, 3) uint8.
    """
    return degrade_labelled(image, severity, rng, kinds, groups)[0]


def degrade_labelled(
    image: np.ndarray,
    severity: int,
    rng: np.random.Generator,
    kinds: Sequence[str] | None = None,
    groups: Sequence[str] = tuple(GROUPS),
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Degrade an image as `degrade` does, and say what went wrong.

    Args:
        image: Shape (h, w, 3), uint8 RGB.
        severity: 0 (nothing) to 4.
        rng: The only source of randomness; equal state gives the image that `degrade` gives.
        kinds: Names from `KINDS`; None draws a combination.
        groups: Names from `GROUPS` that a combination is drawn from.

    Returns:
        The new array, and the names of its groups in the order of `GROUPS`.

    Raises:
        ConfigError: Severity is not an integer in 0-4, or a kind is unknown.
        ShapeError: The image is not (h, w, 3) uint8.
    """
    _check_image(image)
    if isinstance(severity, bool) or not isinstance(severity, int | np.integer):
        raise ConfigError(f"severity must be an integer 0 to 4, got {severity!r}")
    if not 0 <= severity <= MAX_SEVERITY:
        raise ConfigError(f"severity must be 0 to {MAX_SEVERITY}, got {severity}")
    for kind in kinds or ():
        choose(FAULTS, kind, "degradation kind")
    for group in groups:
        choose(GROUPS, group, "group of degradations")
    if severity == 0 or not (groups if kinds is None else kinds):
        return image.copy(), ()
    chosen, factor = _draw_kinds(int(severity), rng, groups) if kinds is None else (kinds, 1.0)
    degraded = image
    for kind in KINDS_IN_ORDER:
        if kind in chosen:
            degraded = FAULTS[kind](degraded, _draw_strength(int(severity), rng) * factor, rng)
    degraded = _reencode(degraded, rng) if rng.random() < JPEG_CHANCE else degraded
    found = tuple(name for name, members in GROUPS.items() if set(members) & set(chosen))
    return degraded, found


def random_degrade(
    image: np.ndarray, rng: np.random.Generator, probability: float = 1.0
) -> tuple[np.ndarray, int]:
    """Degrade an image at a random severity 1-4, or leave it.

    Args:
        image: Shape (h, w, 3), uint8 RGB.
        rng: Randomness.
        probability: Chance that anything is done, 0-1.

    Returns:
        The image, a new array, and its severity (0 where it was left).

    Raises:
        ConfigError: `probability` is outside 0-1.
        ShapeError: The image is not (h, w, 3) uint8.
    """
    if not 0.0 <= probability <= 1.0:
        raise ConfigError(f"probability must be 0 to 1, got {probability}")
    severity = draw_severity(rng) if rng.random() < probability else 0
    return degrade(image, severity, rng), severity


def draw_severity(rng: np.random.Generator, weights: Sequence[float] = SEVERITY_WEIGHTS) -> int:
    """Draw a severity.

    Args:
        rng: Randomness.
        weights: Five weights >= 0, for severity 0 to 4; they need not sum to 1.

    Raises:
        ConfigError: Not five finite weights >= 0 with a positive sum.
    """
    table = np.asarray(weights, dtype=np.float64)
    if table.shape != (MAX_SEVERITY + 1,) or not np.isfinite(table).all() or (table < 0).any():
        raise ConfigError(f"severity weights: expected 5 finite numbers >= 0, got {weights!r}")
    if table.sum() <= 0:
        raise ConfigError("severity weights: at least one must be positive")
    return int(rng.choice(MAX_SEVERITY + 1, p=table / table.sum()))


def paper_noise(
    image: np.ndarray, rng: np.random.Generator, cell_mask: np.ndarray | None = None
) -> np.ndarray:
    """The published corruption that the restoration network learns to undo.

    The cell is darkened by 0.7; then 95-99 % of its pixels get per-channel Gaussian noise of
    sigma 80 x 1.7 times (0.6 + 0.8 x gray), gray in 0-1 before darkening. Source: arXiv
    2603.16249. The source does not say which comes first; with darkening first, the noise keeps
    the stated sigma.

    Args:
        image: Shape (h, w, 3), uint8 RGB.
        rng: Randomness.
        cell_mask: Shape (h, w), bool; None takes all pixels darker than 245, i.e. all that was
            not painted white.

    Returns:
        A new array of the same shape, uint8; pixels off the cell are unchanged.

    Raises:
        ShapeError: Image or mask has the wrong shape or dtype.
    """
    _check_image(image)
    gray = image.astype(np.float32) @ LUMA
    mask = gray < PAPER_WHITE if cell_mask is None else cell_mask
    if mask.shape != image.shape[:2] or mask.dtype != np.bool_:
        raise ShapeError(
            f"cell_mask: expected bool {image.shape[:2]}, got {mask.dtype} {mask.shape}"
        )
    offset, slope = PAPER_LUMINANCE
    amplitude = PAPER_SIGMA * (offset + slope * gray / 255.0)
    covered = rng.random(gray.shape, dtype=np.float32) < rng.uniform(*PAPER_COVERAGE)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noise *= (amplitude * covered)[..., None]
    corrupted = to_uint8(image * np.float32(PAPER_DARKENING) + noise)
    return np.where(mask[..., None], corrupted, image)


def _draw_kinds(
    severity: int, rng: np.random.Generator, groups: Sequence[str]
) -> tuple[list[str], float]:
    count = min(int(rng.choice(3, p=GROUP_COUNT_WEIGHTS[severity])) + 1, len(groups))
    kinds: list[str] = []
    for group in rng.permutation(list(groups))[:count]:
        members = GROUPS[str(group)]
        if group == "light":
            drawn = [kind for kind in members if rng.random() < 0.6]
            kinds += drawn or [str(rng.choice(members))]
        elif group == "noise":
            kinds.append(members[int(rng.random() < 0.2)])
        else:
            kinds.append(str(rng.choice(members)))
    return kinds, GROUP_COUNT_STRENGTH[count - 1]


def _draw_strength(severity: int, rng: np.random.Generator) -> float:
    spread = rng.uniform(-STRENGTH_SPREAD, STRENGTH_SPREAD)
    return float(np.clip((severity - 0.5 + spread) / MAX_SEVERITY, MIN_STRENGTH, 1.0))


def _reencode(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    quality = int(rng.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1))
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _check_image(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype != np.uint8:
        raise ShapeError(
            f"image: expected (h, w, 3) uint8 RGB, got {image.shape} {image.dtype}; "
            "repeat a gray image over three channels first"
        )
