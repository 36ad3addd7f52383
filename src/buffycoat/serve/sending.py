"""The differential of a slide as the record that is sent: signed, or preliminary."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from buffycoat import __version__
from buffycoat.evaluate.reported import report_items
from buffycoat.exchange.differential_report import DifferentialReport
from buffycoat.exchange.geojson import NAMESPACE, colour_of
from buffycoat.exchange.outlines import area_of
from buffycoat.exchange.remarks import Flag, ReadBy
from buffycoat.serve.catalogue import SlideCells
from buffycoat.serve.pictures import CHANGED, MISSING
from buffycoat.serve.places import stored_outline
from buffycoat.serve.readings import read_by
from buffycoat.serve.signatures import Version, version_of, versions
from buffycoat.serve.states import (
    EXTRA,
    READINGS,
    SlideState,
    decided_cells,
    final_labels,
    labels_of,
    state_of,
)
from buffycoat.serve.two_readers import n_differ
from buffycoat.serve.worklist import flags_of

MODEL = "buffycoat classifier"
FAULTY = {
    MISSING: "Cells whose picture was gone when it was signed: {}.",
    CHANGED: "Cells whose picture was not the one that was classified: {}.",
}


def labels_sent(
    reader: Connection, slide: int, cells: SlideCells, number: int | None
) -> tuple[dict[str, str], Version | None]:
    """Cell's name -> label, of a version or as they are now.

    Args:
        reader: From `Store.reading`.
        slide: Its number.
        cells: Of the slide.
        number: The version; None takes the last one of a signed slide, else the labels as they are.

    Returns:
        The labels, and the version that they are of; None for a preliminary state.

    Raises:
        RefusedError: No such version.
    """
    state = state_of(reader, slide)
    if number is not None:
        version = version_of(reader, slide, number)
        return version.body["labels"], version
    if not state.is_open:
        version = versions(reader, slide)[-1]
        return version.body["labels"], version
    final = final_labels(state, cells.predicted, labels_of(reader, slide))
    return {cell.name: final.labels[cell.n] for cell in cells.cells}, None


def make_report(
    reader: Connection, slide: int, cells: SlideCells, number: int | None = None
) -> DifferentialReport:
    """What is sent of a slide; arguments as in `labels_sent`.

    Raises:
        RefusedError: No such version.
    """
    state = state_of(reader, slide)
    labels, version = labels_sent(reader, slide, cells, number)
    body: dict[str, Any] = {} if version is None else version.body
    left_out = _left_out(cells, version)
    kept = Counter(label for name, label in labels.items() if name not in left_out)
    no_class = body.get("outside", EXTRA.keys() - cells.taxonomy.codes)
    counted = {label: n for label, n in kept.items() if label not in no_class}
    outside = {label: n for label, n in kept.items() if label in no_class}
    wbc = state.wbc if version is None else body.get("wbc")
    items = report_items(counted, cells.taxonomy, wbc)
    # A slide that was amended may have got more cells since, of another bundle.
    bundles = body.get("bundle_sha256", cells.bundles)
    final = "final" if version and version.version == 1 else "amended"
    return DifferentialReport(
        slide=state.name,
        patient=state.patient,
        version=state.version + 1 if version is None else version.version,
        status="preliminary" if version is None else final,
        issued=datetime.now(UTC) if version is None else datetime.fromisoformat(version.at),
        signer=None if version is None else version.signer,
        model=MODEL,
        model_checksum=(bundles[0] or None) if len(bundles) == 1 else None,
        software=body.get("software", f"buffycoat {__version__}"),
        items=items,
        n_leukocytes=sum(item.count for item in items if item.is_leukocyte),
        n_counted=sum(item.count for item in items),
        comment=_comment(body, outside, left_out, bundles),
        n_decided=body.get("n_decided"),
        n_read=body.get("n_cells"),
        signer_identity=body.get("identity"),
        reason=body.get("reason"),
        **_read(reader, state, cells, version),
    )


def _read(
    reader: Connection, state: SlideState, cells: SlideCells, version: Version | None
) -> dict[str, Any]:
    """Flags, readings, and how far readers differ: as they were signed, or as they are."""
    body = None if version is None else version.body
    if body is None:
        given = labels_of(reader, state.id)
        labels = final_labels(state, cells.predicted, given).labels
        decided = decided_cells(given, state.counted_roles)
        body = {
            "flags": flags_of(cells, cells.counted(labels, decided)),
            "readings": read_by(reader, state),
            "n_differ": n_differ(state, cells.predicted, given),
        }
    elif "readings" not in body:  # signed before a signature froze these
        held = {cell.name: cell.n for cell in cells.cells}
        labels = {held[name]: label for name, label in body["labels"].items()}
        body = {
            # Who had decided which cell is not known: none counts as doubtful.
            "flags": flags_of(cells, cells.counted(labels, labels.keys())),
            "readings": [
                {"role": role, "reader": body["readers"][role]}
                for role in READINGS
                if body["readers"].get(role)
            ],
        }
    return {
        "flags": tuple(Flag(flag["code"], flag["text"]) for flag in body["flags"]),
        "readings": tuple(map(_read_by, body["readings"])),
        "n_differ": body.get("n_differ"),
    }


def _read_by(one: dict[str, Any]) -> ReadBy:
    at = one.get("finished_at")
    finished = None if at is None else datetime.fromisoformat(at)
    return ReadBy(one["role"], one["reader"], finished, one.get("identity"))


def _left_out(cells: SlideCells, version: Version | None) -> dict[str, str]:
    """Cell's name -> why it is in no figure, as it was signed or as it is."""
    if version is not None:
        return version.body.get("not_counted", {})
    return {cell.name: cell.not_counted for cell in cells.cells if cell.not_counted}


def _comment(
    body: dict[str, Any], outside: dict[str, int], left_out: dict[str, str], bundles: list[str]
) -> str:
    """The signer's words, what was left out of the count, and the models where they are several."""
    said = [f"Not counted: {n} {EXTRA[code]} ({code})." for code, n in sorted(outside.items())]
    if body.get("undecided_doubtful"):
        said.append(f"Doubtful cells that no reader decided: {body['undecided_doubtful']}.")
    said += [words.format(body[fault]) for fault, words in FAULTY.items() if body.get(fault)]
    said += [f"Not counted: {n} {why}." for why, n in sorted(Counter(left_out.values()).items())]
    if len(bundles) > 1:
        known = ", ".join(bundle or "unknown" for bundle in bundles)
        said.append(f"Predicted by {len(bundles)} models, SHA-256 {known}.")
    return "\n".join(filter(None, [body.get("comment", ""), *said]))


def to_geojson(cells: SlideCells, labels: dict[str, str]) -> str:
    """The decisions as QuPath reads them, over the fields that the cells were cut from.

    Cells with an outline or a box in a field; each names its field in its metadata, since a
    GeoJSON file of QuPath's is of one image. A cell without a label was added after the version
    was signed, and is left out.
    """
    codes = [*cells.taxonomy.codes, *EXTRA]
    features = []
    for cell in cells.cells:
        ring = _ring(cell.details.get("field", {}), cell.ref.box)
        label = labels.get(cell.name)
        if ring is None or label is None:
            continue
        features.append(
            {
                "type": "Feature",
                "id": _uuid(cell.name),
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
                "properties": {
                    "objectType": "detection",
                    "name": cell.name,
                    "classification": {"name": label, "color": colour_of(label, codes)},
                    "metadata": {
                        "field": cell.details.get("field", {}).get("name", cell.ref.path),
                        "predicted": cell.predicted,
                    },
                },
            }
        )
    return json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=False)


def _uuid(name: str) -> str:
    import uuid

    return str(uuid.uuid5(NAMESPACE, name))


def _ring(
    place: dict[str, Any], own_box: tuple[int, int, int, int] | None
) -> list[list[float]] | None:
    """Corners of a cell in its field: its outline if that has an area, else its box.

    So does `annotate`. None where neither is known.
    """
    ring = stored_outline(place)
    if len(ring) > 2 and area_of(ring) > 0:
        return [[x, y] for x, y in ring]
    box = [int(part) for part in place["box"].split(",")] if place.get("box") else own_box
    if box is None:
        return None
    left, top, width, height = box
    across, down = (left, left + width), (top, top + height)
    corners = ((0, 0), (1, 0), (1, 1), (0, 1))
    return [[float(across[x]), float(down[y])] for x, y in corners]
