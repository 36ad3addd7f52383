"""How a cell of each class looks on a Romanowsky-stained smear, in micrometres and RGB.

Sizes and features follow the textbook morphology of each stage; colours were set by eye against
photographs of an automated microscope. Spans are drawn from uniformly, and those of neighbours in
maturation overlap, so that no class is told apart by one number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

Span = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Granules:
    """One population of granules.

    Attributes:
        colour: RGB.
        density: Granules per square micrometre of cytoplasm.
        radius_um: Radius of one.
        opacity: 0-1, drawn per granule.
        nucleus_share: Density over the nucleus, as a share of `density`.
    """

    colour: Colour
    density: Span
    radius_um: Span
    opacity: Span = (0.5, 0.9)
    nucleus_share: float = 0.0


@dataclass(frozen=True)
class Nucleus:
    """Shape and chromatin of a nucleus.

    Attributes:
        size: Radius over cell radius, of a round nucleus; of one lobe if `lobes` is set.
        lobes: Fewest and most lobes along a bent spine; (0, 0) is one round nucleus.
        bridge: Thickness between lobes over thickness of a lobe.
        bend: Angle that the spine turns through, radians.
        elongation: Long axis over short axis of a round nucleus.
        indent: Depth of the indentation of a round nucleus, over its radius.
        folds: Fewest and most further, shallower indentations.
        offset: Distance from the cell's centre, over the room there is.
        colour: RGB of dense chromatin.
        contrast: How far the pale chromatin stands out, 0-1.
        grain_um: Size of the chromatin clumps.
        spokes: Strength of the clock-face arrangement, 0-1.
        nucleoli: Fewest and most nucleoli.
        nucleolus_um: Radius of a nucleolus.
    """

    size: Span
    lobes: tuple[int, int] = (0, 0)
    bridge: Span = (1.0, 1.0)
    bend: Span = (3.0, 4.0)
    elongation: Span = (1.0, 1.2)
    indent: Span = (0.0, 0.0)
    folds: tuple[int, int] = (0, 0)
    offset: Span = (0.0, 0.6)
    colour: Colour = (66, 34, 122)
    contrast: Span = (0.35, 0.6)
    grain_um: float = 0.55
    spokes: float = 0.0
    nucleoli: tuple[int, int] = (0, 0)
    nucleolus_um: Span = (0.6, 1.0)


@dataclass(frozen=True)
class Recipe:
    """One class of cell.

    Attributes:
        diameter_um: Of the cell.
        nucleus: Its nucleus.
        cytoplasm: RGB in the middle of the cytoplasm.
        rim: RGB at the cell's edge.
        rim_strength: How far the edge takes that colour, 0-1.
        mottle: Contrast of the cytoplasm's texture, 0-1.
        elongation: Long axis over short axis.
        waviness: Amplitude of the outline's slow waves, over the radius.
        blebs: Fewest and most protrusions of the outline.
        bleb_length: Length of a protrusion over the radius.
        moulding: Fewest and most red cells that press into the cell.
        halo: Strength of the pale zone beside the nucleus, 0-1.
        vacuoles: Fewest and most vacuoles.
        granules: Populations of granules, drawn in this order.
    """

    diameter_um: Span
    nucleus: Nucleus
    cytoplasm: Colour
    rim: Colour = (150, 120, 175)
    rim_strength: Span = (0.25, 0.5)
    mottle: float = 0.10
    elongation: Span = (1.0, 1.15)
    waviness: Span = (0.01, 0.035)
    blebs: tuple[int, int] = (0, 0)
    bleb_length: Span = (0.1, 0.2)
    moulding: tuple[int, int] = (0, 0)
    halo: Span = (0.0, 0.0)
    vacuoles: tuple[int, int] = (0, 0)
    granules: tuple[Granules, ...] = ()


BLUE_RIM: Colour = (72, 82, 165)
FINE_PINK = Granules((176, 112, 158), (2.0, 4.5), (0.12, 0.22), (0.2, 0.65))
LILAC = Granules((120, 62, 150), (0.4, 2.0), (0.14, 0.26), (0.4, 0.9), 0.1)
AZUROPHILIC = Granules((98, 28, 122), (0.9, 2.6), (0.17, 0.34), (0.6, 1.0), 0.7)

_SEGMENTED = Recipe(
    diameter_um=(12.5, 15.5),
    nucleus=Nucleus(
        size=(0.27, 0.33), lobes=(3, 4), bridge=(0.08, 0.38), bend=(3.8, 5.0), contrast=(0.45, 0.75)
    ),
    cytoplasm=(230, 202, 206),
    rim=(205, 160, 190),
    mottle=0.05,
    granules=(FINE_PINK,),
)

RECIPES: dict[str, Recipe] = {
    "SNE": _SEGMENTED,
    "BNE": replace(
        _SEGMENTED,
        diameter_um=(12.5, 15.8),
        nucleus=Nucleus(
            size=(0.26, 0.33),
            lobes=(2, 3),
            bridge=(0.42, 0.98),
            bend=(2.2, 4.2),
            contrast=(0.45, 0.75),
        ),
        cytoplasm=(224, 194, 206),
    ),
    "MMY": Recipe(
        diameter_um=(13.0, 16.5),
        nucleus=Nucleus(
            size=(0.58, 0.68),
            elongation=(1.25, 1.6),
            indent=(0.24, 0.75),
            offset=(0.4, 0.9),
            colour=(72, 38, 128),
        ),
        cytoplasm=(216, 188, 207),
        rim=(176, 146, 190),
        mottle=0.07,
        granules=(FINE_PINK, replace(LILAC, density=(0.1, 0.7))),
    ),
    "MY": Recipe(
        diameter_um=(13.5, 18.5),
        nucleus=Nucleus(
            size=(0.62, 0.74),
            elongation=(1.1, 1.4),
            indent=(0.0, 0.3),
            offset=(0.6, 1.0),
            colour=(78, 42, 134),
            contrast=(0.4, 0.6),
        ),
        cytoplasm=(190, 172, 206),
        rim=(138, 124, 186),
        rim_strength=(0.3, 0.6),
        granules=(replace(FINE_PINK, density=(1.0, 2.5)), LILAC),
    ),
    "PMY": Recipe(
        diameter_um=(15.0, 19.5),
        nucleus=Nucleus(
            size=(0.70, 0.80),
            elongation=(1.0, 1.2),
            indent=(0.0, 0.12),
            offset=(0.4, 1.0),
            colour=(96, 54, 148),
            contrast=(0.3, 0.5),
            grain_um=0.45,
            nucleoli=(1, 3),
            nucleolus_um=(0.8, 1.2),
        ),
        cytoplasm=(158, 148, 204),
        rim=(104, 100, 178),
        rim_strength=(0.4, 0.7),
        halo=(0.0, 0.35),
        granules=(AZUROPHILIC,),
    ),
    "BL": Recipe(
        diameter_um=(13.0, 18.5),
        nucleus=Nucleus(
            size=(0.76, 0.89),
            elongation=(1.0, 1.2),
            indent=(0.0, 0.2),
            offset=(0.3, 1.0),
            colour=(112, 66, 160),
            contrast=(0.3, 0.5),
            grain_um=0.32,
            nucleoli=(0, 4),
            nucleolus_um=(0.8, 1.4),
        ),
        cytoplasm=(128, 132, 200),
        rim=BLUE_RIM,
        rim_strength=(0.5, 0.8),
        waviness=(0.02, 0.06),
    ),
    "LY": Recipe(
        diameter_um=(8.6, 12.5),
        nucleus=Nucleus(
            size=(0.75, 0.90),
            elongation=(1.0, 1.2),
            indent=(0.0, 0.18),
            offset=(0.3, 1.0),
            colour=(58, 30, 112),
            contrast=(0.2, 0.42),
            grain_um=0.8,
        ),
        cytoplasm=(168, 180, 222),
        rim=(104, 118, 190),
        waviness=(0.015, 0.05),
        blebs=(0, 2),
        bleb_length=(0.05, 0.12),
    ),
    "VLY": Recipe(
        diameter_um=(12.5, 18.0),
        nucleus=Nucleus(
            size=(0.56, 0.74),
            elongation=(1.05, 1.4),
            indent=(0.0, 0.3),
            offset=(0.3, 0.9),
            colour=(80, 44, 138),
            contrast=(0.3, 0.5),
            grain_um=0.7,
            nucleoli=(0, 1),
        ),
        cytoplasm=(166, 182, 224),
        rim=(70, 86, 172),
        rim_strength=(0.4, 0.9),
        mottle=0.06,
        elongation=(1.0, 1.35),
        waviness=(0.05, 0.10),
        moulding=(1, 4),
        granules=(replace(AZUROPHILIC, density=(0.0, 0.05), nucleus_share=0.0),),
    ),
    "PLY": Recipe(
        diameter_um=(10.0, 13.5),
        nucleus=Nucleus(
            size=(0.74, 0.84),
            elongation=(1.0, 1.15),
            offset=(0.2, 0.9),
            colour=(76, 42, 134),
            contrast=(0.3, 0.5),
            grain_um=0.75,
            nucleoli=(1, 1),
            nucleolus_um=(1.1, 1.6),
        ),
        cytoplasm=(150, 164, 216),
        rim=(90, 104, 186),
        waviness=(0.02, 0.05),
        blebs=(3, 7),
        bleb_length=(0.2, 0.46),
    ),
    "PC": Recipe(
        diameter_um=(12.0, 16.0),
        nucleus=Nucleus(
            size=(0.46, 0.56),
            elongation=(1.0, 1.2),
            offset=(0.8, 1.0),
            colour=(60, 28, 112),
            contrast=(0.5, 0.75),
            grain_um=0.9,
            spokes=0.55,
        ),
        cytoplasm=(98, 98, 178),
        rim=(64, 70, 158),
        mottle=0.14,
        elongation=(1.1, 1.4),
        halo=(0.6, 0.95),
        vacuoles=(0, 2),
    ),
    "MO": Recipe(
        diameter_um=(13.5, 18.5),
        nucleus=Nucleus(
            size=(0.58, 0.70),
            elongation=(1.1, 1.5),
            indent=(0.25, 0.7),
            folds=(0, 3),
            offset=(0.0, 0.7),
            colour=(94, 56, 146),
            contrast=(0.45, 0.7),
            grain_um=0.6,
        ),
        cytoplasm=(166, 160, 194),
        rim=(128, 124, 180),
        mottle=0.14,
        elongation=(1.0, 1.3),
        waviness=(0.03, 0.09),
        moulding=(0, 2),
        vacuoles=(0, 8),
        granules=(replace(LILAC, density=(0.4, 1.4), radius_um=(0.1, 0.16), opacity=(0.2, 0.6)),),
    ),
    "EO": Recipe(
        diameter_um=(12.5, 16.0),
        nucleus=Nucleus(
            size=(0.31, 0.38),
            lobes=(2, 2),
            bridge=(0.08, 0.35),
            bend=(1.9, 3.0),
            contrast=(0.45, 0.75),
        ),
        cytoplasm=(222, 170, 168),
        rim=(196, 120, 140),
        granules=(Granules((205, 94, 88), (2.6, 3.6), (0.3, 0.44), (0.35, 1.0), 0.015),),
    ),
    "BA": Recipe(
        diameter_um=(11.0, 14.0),
        nucleus=Nucleus(
            size=(0.34, 0.44),
            lobes=(2, 3),
            bridge=(0.5, 0.9),
            bend=(1.8, 3.4),
            colour=(98, 62, 148),
        ),
        cytoplasm=(206, 172, 204),
        rim=(160, 120, 180),
        granules=(Granules((52, 20, 92), (0.8, 1.7), (0.34, 0.56), (0.75, 1.0), 0.8),),
    ),
    "ERB": Recipe(
        diameter_um=(8.4, 11.0),
        nucleus=Nucleus(
            size=(0.50, 0.68),
            elongation=(1.0, 1.12),
            offset=(0.0, 0.7),
            colour=(48, 22, 94),
            contrast=(0.3, 0.6),
            grain_um=0.9,
        ),
        cytoplasm=(176, 156, 186),
        rim=(142, 128, 176),
        mottle=0.05,
    ),
}
"""Class code -> how it looks: the thirteen of WBCBench, and the erythroblast."""
