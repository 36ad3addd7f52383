"""A bundle at other laboratories: as it is, adapted without labels, and with a few.

    for each site: the bundle as it is, each step alone, all steps
    for each number of labels a type and each draw: all steps, then what the drawn labels teach
    for each of these: one row, written as soon as it is scored

Labels score; only the drawn ones teach, and they and all copies of their cells are not scored. The
steps without labels see all cells of a site, as they do in use. Killed, the same call goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest, Prediction
from buffycoat.errors import NotEstimableError
from buffycoat.images import load_work, only_writer, write_atomic
from buffycoat.learn import adapt, site_labels
from buffycoat.learn.experiments.labelled_site import Site, read_site
from buffycoat.learn.experiments.site_scores import score
from buffycoat.learn.experiments.site_table import COLUMNS, KEYS, markdown
from buffycoat.learn.site_steps import coloured, framed, normed
from buffycoat.learn.teach import teach
from buffycoat.plurals import counted
from buffycoat.predict.batches import in_batches, predict_batches
from buffycoat.predict.needs import needs_of
from buffycoat.predict.site_look import look_ahead
from buffycoat.predict.stages import CELLS_AT_ONCE
from buffycoat.progress import Reporter, Silent
from buffycoat.tables import write_csv

LABELS = (5, 10, 25, 50)
"""Labelled cells a type."""
DRAWS = 5
ASKED = ("label", "probability", "conformal_set", "is_abstained")


Make = Callable[[Site], Fitted]


def _scaled(site: Site) -> Fitted:
    home = adapt.home_of(site.fitted, site.name)
    return framed(site.fitted, home, site.manifest)[0]


def _coloured(site: Site) -> Fitted:
    return coloured(site.fitted, _work(site), site.name)


def _normed(site: Site) -> Fitted:
    return normed(site.fitted, _work(site))


def _work(site: Site) -> np.ndarray:
    return load_work(site.manifest, site.fitted.config.images).images


WITHOUT_LABELS: Mapping[str, Make] = {
    "as it is": lambda site: site.fitted,
    "scale alone": _scaled,
    "colour alone": _coloured,
    "batch norm alone": _normed,
    "adapted without labels": lambda site: site.adapted,
}


def run(
    bundle: str | Path,
    sites: Mapping[str, Manifest],
    out: Path,
    reporter: Reporter | None = None,
    labels: Sequence[int] = LABELS,
    draws: int = DRAWS,
) -> list[dict[str, Any]]:
    """Score a bundle at sites; writes `sites.csv`, a row a step and draw, and `sites.md`.

    Args:
        bundle: Folder, or "starter".
        sites: Name -> labelled cells.
        out: Folder of results; the same again resumes.
        reporter: Progress.
        labels: Labels a type that are tried.
        draws: Of the labelled cells, each.

    Returns:
        The rows of this bundle and these sites.

    Raises:
        BundleError: The bundle was adapted, or does not know its home.
    """
    with only_writer(out):
        return _run(bundle, sites, out, reporter or Silent(), labels, draws)


def _run(
    bundle: str | Path,
    sites: Mapping[str, Manifest],
    out: Path,
    reporter: Reporter,
    labels: Sequence[int],
    draws: int,
) -> list[dict[str, Any]]:
    fitted, bundle_name = files.read(bundle), files.checksum(bundle)[:12]
    adapt.home_of(fitted, str(bundle))
    read = [read_site(name, manifest, fitted) for name, manifest in sites.items()]
    table = _stored(out / "sites.csv")
    done = {tuple(row[name] for name in KEYS) for row in table}
    wanted = [(step, 0, 0) for step in WITHOUT_LABELS]
    wanted += [("adapted with labels", n, draw) for n in labels for draw in range(draws)]
    for site in read:
        reporter.start("site", f"{site.name}, {counted(len(site.manifest), 'labelled cell')}")
        for number, (step, n, draw) in enumerate(wanted, 1):
            key = (bundle_name, site.name, step, n, draw)
            row = _row(site, step, n, draw) if key not in done else None
            if row is not None:
                table.append(dict(zip(KEYS, key, strict=True)) | row)
                write_csv(out / "sites.csv", pd.DataFrame(table, columns=list(COLUMNS)).round(5))
            reporter.advance(number, len(wanted))
        reporter.finish()
    mine = [row for row in table if row["bundle"] == bundle_name and row["site"] in sites]
    write_atomic(out / "sites.md", markdown(mine).encode())
    return mine


def _stored(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    stored = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"bundle": str})
    return [{str(k): v for k, v in row.items()} for row in stored.to_dict("records")]


def _row(site: Site, step: str, n: int, draw: int) -> dict[str, Any] | None:
    """Figures of one row; None where the site has too few cells for so many labels."""
    start, note = time.monotonic(), ""
    rows = site.draw(n, draw) if n else np.zeros(0, dtype=np.int64)
    if rows is None:
        return None
    try:
        made = _taught(site, rows) if n else WITHOUT_LABELS[step](site)
    except NotEstimableError as error:
        made, note = site.fitted, f"refused, so as it is: {error}"
    seconds = time.monotonic() - start
    is_scored = ~np.isin(site.photographs, site.photographs[rows])
    found = _predict(site.manifest.subset(is_scored), made)
    figures = score(found, site.targets[is_scored], site.types, made.taxonomy.codes)
    taught = made.site.record.get("labels", {}) if made.site else {}
    return {
        **figures,
        "labelled": " ".join(f"{code} {count}" for code, count in taught.get("cells", {}).items()),
        "is_last_stage_taught": taught.get("is_last_stage_taught", ""),
        "estimated_gain": taught.get("gain_over_before", {}).get("estimate", np.nan),
        "seconds": seconds,
        "note": note,
    }


def _taught(site: Site, rows: np.ndarray) -> Fitted:
    ids = site.manifest.column("cell_id")[rows]
    given = {cell: site.labels[row] for cell, row in zip(ids, rows, strict=True)}
    few = site_labels.of(given, site.manifest, site.fitted.taxonomy)
    return teach(site.fitted, site.adapted, few, site.manifest).fitted


def _predict(manifest: Manifest, fitted: Fitted) -> list[Prediction]:
    cells = in_batches(manifest, CELLS_AT_ONCE)
    looks = look_ahead(manifest, fitted)
    parts = predict_batches(cells, fitted, looks, needs=needs_of(ASKED, fitted))
    return [cell for batch in parts for cell in batch.predictions]
