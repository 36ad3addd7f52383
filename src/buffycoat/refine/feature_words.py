"""Features in a hematologist's words: reasons name what is seen, not the column of a table."""

from __future__ import annotations

import re

_LOW_HIGH = {
    "cell_area": ("size of the cell in the picture", "cell is small in the picture",
                  "cell is large in the picture"),
    "mean_intensity": ("brightness of the cell", "cell is dark", "cell is pale"),
    "sd_intensity": ("contrast in the cell", "cell has little contrast", "cell has much contrast"),
    "red_blue_ratio": ("red to blue of the cell", "cell is bluish", "cell is reddish"),
    "nc_ratio": ("N:C ratio", "nucleus is small for the cell", "nucleus is large for the cell"),
    "nucleus_offset": ("eccentric nucleus", "nucleus lies central", "nucleus lies eccentric"),
    "cytoplasm_intensity": ("brightness of the cytoplasm", "cytoplasm is dark",
                            "cytoplasm is pale"),
    "spikiness": ("longest spike of the outline", "outline of the cell is round",
                  "outline of the cell has a spike or tail"),
    "cell_solidity": ("even outline of the cell", "outline of the cell is irregular",
                      "outline of the cell is even"),
    "cell_eccentricity": ("elongation of the cell", "cell is round", "cell is elongated"),
    "nucleus_solidity": ("even outline of the nucleus", "nucleus is indented or lobed",
                         "nucleus is not indented"),
    "nucleus_eccentricity": ("elongation of the nucleus", "nucleus is round",
                             "nucleus is elongated"),
    "nucleus_lobes": ("lobes of the nucleus", "nucleus has few lobes", "nucleus has many lobes"),
    "chromatin_sd": ("contrast of the chromatin", "chromatin is smooth", "chromatin is uneven"),
    "granularity": ("granularity of the cytoplasm", "cytoplasm is smooth", "cytoplasm is granular"),
    "cell_area_px": ("area of the cell", "cell is small", "cell is large"),
    "nucleus_area_px": ("area of the nucleus", "nucleus is small", "nucleus is large"),
    "cell_diameter_px": ("diameter of the cell", "cell is small", "cell is large"),
    "nucleus_diameter_px": ("diameter of the nucleus", "nucleus is small", "nucleus is large"),
    "cell_circularity": ("roundness of the cell", "cell is not round", "cell is round"),
    "cell_roughness": ("fine jags of the cell's outline", "outline of the cell is smooth",
                       "outline of the cell is jagged: blebs or villi"),
    "cell_waviness": ("broad bulges of the cell's outline", "outline of the cell has no bulges",
                      "outline of the cell has broad bulges or corners"),
    "cell_blebs": ("blebs of the cell", "cell has few blebs", "cell has many blebs"),
    "cell_notches": ("notches of the cell", "cell has few notches", "cell has many notches"),
    "cell_notch_depth": ("deepest notch of the cell", "cell has no deep notch",
                         "cell has a deep notch"),
    "nucleus_circularity": ("roundness of the nucleus", "nucleus is not round", "nucleus is round"),
    "nucleus_roughness": ("fine jags of the nucleus's outline", "outline of the nucleus is smooth",
                          "outline of the nucleus is jagged"),
    "nucleus_waviness": ("broad bulges of the nucleus", "nucleus has no bulges",
                         "nucleus has broad bulges"),
    "nucleus_notches": ("notches of the nucleus", "nucleus has few notches",
                        "nucleus has many notches"),
    "nucleus_notch_depth": ("deepest notch of the nucleus", "nucleus has no deep notch",
                            "nucleus has a deep notch"),
    "nucleus_hole_share": ("hole in the nucleus", "nucleus has no hole", "nucleus is ring-shaped"),
    "nucleus_span": ("span of the nucleus", "nucleus spans little of the cell",
                     "nucleus spans much of the cell"),
    "nucleus_segments": ("segments of the nucleus", "nucleus has few segments",
                         "nucleus has many segments"),
    "nucleus_constriction": ("constriction of the nucleus", "nucleus is not constricted",
                             "nucleus is constricted"),
    "nucleus_width": ("width of the nucleus", "nucleus is narrow", "nucleus is broad"),
    "nucleus_ridge_width": ("width along the nucleus", "nucleus is narrow", "nucleus is broad"),
    "nucleus_evenness": ("even width of the nucleus", "nucleus varies in width",
                         "nucleus is of even width"),
    "nucleus_bandness": ("band shape of the nucleus", "nucleus is not band-shaped",
                         "nucleus is band-shaped"),
    "chromatin_density": ("density of the chromatin", "chromatin is pale", "chromatin is dense"),
    "chromatin_contrast": ("contrast of the chromatin", "chromatin is even",
                           "chromatin is uneven"),
    "chromatin_clumping": ("fine texture of the chromatin", "chromatin has little fine texture",
                           "chromatin has much fine texture"),
    "chromatin_coarseness": ("coarse texture of the chromatin", "chromatin is fine",
                             "chromatin is coarse"),
    "chromatin_pale_share": ("pale parts of the nucleus", "nucleus has few pale parts",
                             "nucleus has many pale parts"),
    "chromatin_redness": ("redness of the chromatin", "chromatin is bluish",
                          "chromatin is reddish"),
    "cytoplasm_hue": ("hue of the cytoplasm", "cytoplasm is bluish", "cytoplasm is reddish"),
    "cytoplasm_density": ("density of the cytoplasm", "cytoplasm is pale", "cytoplasm is dense"),
    "basophilia": ("blue of the cytoplasm", "cytoplasm is little blue", "cytoplasm is deep blue"),
    "cytoplasm_unevenness": ("unevenness of the cytoplasm", "cytoplasm is even",
                             "cytoplasm is uneven"),
    "granule_share": ("coarse granules", "cytoplasm has few coarse granules",
                      "cytoplasm has many coarse granules"),
    "granule_contrast": ("contrast of the granules", "granules are faint", "granules stand out"),
    "granule_hue": ("hue of the granules", "granules are bluish", "granules are reddish"),
    "granule_redness": ("redness of the granules", "granules are bluish", "granules are reddish"),
    "vacuoles": ("vacuoles", "cell has few vacuoles", "cell has many vacuoles"),
    "vacuole_share": ("share of vacuoles", "cell has few vacuoles", "cell has many vacuoles"),
    "largest_vacuole": ("largest vacuole", "cell has no large vacuole", "cell has a large vacuole"),
    "perinuclear_halo": ("pale ring around the nucleus", "no pale ring around the nucleus",
                         "pale ring around the nucleus"),
}  # fmt: skip
"""Feature -> what it measures, what a low value looks like, what a high one does."""

_UNUSUAL = re.compile(
    r"(?P<name>\w+) (?P<value>.+) (?P<sign>[<>]) (?P<limit>\S+) "
    r"\((?P<code>.+) (?P<nth>1st|99th) percentile\)"
)
"""What `decide` says of a feature that is unusual for the class."""
_NAME = re.compile(r"\b(?:" + "|".join(sorted(_LOW_HIGH, key=len, reverse=True)) + r")\b")


def in_words(text: str) -> str:
    """A reason with its features in words; what names none is as it was.

    >>> in_words("cell_solidity 0.86 < 0.9 (SNE 1st percentile)")
    'outline of the cell is irregular: 0.86, 1st percentile of SNE 0.9'
    >>> in_words("spikiness 1.52 > 1.31 (fitted limit)")
    'longest spike of the outline 1.52 > 1.31 (fitted limit)'
    """
    found = _UNUSUAL.fullmatch(text)
    if found is None or found["name"] not in _LOW_HIGH:
        return _NAME.sub(lambda name: _LOW_HIGH[name[0]][0], text)
    _, low, high = _LOW_HIGH[found["name"]]
    seen = high if found["sign"] == ">" else low
    return (
        f"{seen}: {found['value']}, {found['nth']} percentile of {found['code']} {found['limit']}"
    )
