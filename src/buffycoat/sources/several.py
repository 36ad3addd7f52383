"""Data sets of several laboratories, read as one; each cell keeps the name of its site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from buffycoat.cells import Manifest
from buffycoat.errors import ManifestError
from buffycoat.sources.options import Reading
from buffycoat.sources.read import read
from buffycoat.statement import Statement

_OF_ONE_SITE = ("cell_id", "original_id", "patient_id", "slide_id")
"""Columns whose values mean something within their own data set only."""


def name_sites(data: Sequence[str | Path]) -> dict[str, Path]:
    """Site -> data set, of arguments such as `raabin=../data/raabin`, or a path alone.

    `["a/pbc", "second=b/pbc"]` are the sites `pbc` and `second`.

    Args:
        data: Paths; before a path may stand a name for its site and "=". Else the site is called
            as the folder or the table is.

    Raises:
        ManifestError: A name is empty or used twice, or there is no such path.
    """
    named = [_name(str(one)) for one in data]
    twice = [name for name, count in Counter(name for name, _ in named).items() if count > 1]
    if twice:
        raise ManifestError(
            f"two data sets are called {twice[0]!r}. Give each a name of its own, "
            f"e.g. {twice[0]}-2={named[-1][1]}"
        )
    return dict(named)


def read_sites(
    sites: Mapping[str, Path], layout: str = "auto", reading: Reading | None = None
) -> Manifest:
    """Read the data sets of one site or several.

    Args:
        sites: Site -> folder or table of cells. With more than one, ids of cells, patients and
            slides begin with the site, so that those of two sites are never taken for the same.
        layout: How each of them lies.
        reading: Where the layout leaves a choice. What is to be left out need not be in all of
            them.

    Raises:
        ManifestError: As `read` does; or what is to be left out is in none of them.
    """
    reading = reading or Reading()
    if len(sites) == 1:
        ((site, path),) = sites.items()
        manifest = read(path, layout, reading)
        return replace(manifest, frame=manifest.frame.assign(site=_text(site, manifest)))
    of_one = replace(reading, is_of_several=True)
    parts = {site: read(path, layout, of_one) for site, path in sites.items()}
    _check_left_out(parts, reading.leave_out)
    frames = [_of_site(part, site) for site, part in parts.items()]
    notes = tuple(f"{site}: {note}" for site, part in parts.items() for note in part.notes)
    statement = _join({site: part.statement for site, part in parts.items()})
    return Manifest(pd.concat(frames, ignore_index=True), notes, statement)


def _check_left_out(parts: Mapping[str, Manifest], patterns: Sequence[str]) -> None:
    taken = {pattern for part in parts.values() for pattern in part.statement.left_out}
    idle = [pattern for pattern in patterns if pattern not in taken]
    if idle:
        raise ManifestError(
            f"--leave-out {', '.join(map(repr, idle))}: no label, file, folder or table of any of "
            f"the data sets is called so: {', '.join(parts)}"
        )


def _name(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():  # a path may hold "="
        given = Path(text)
        name = given.resolve().stem if given.is_file() else given.resolve().name
        return name, _existing(given)
    if not name.strip():
        raise ManifestError(f"{text!r}: expected NAME=PATH, e.g. raabin=data/raabin")
    return name.strip(), _existing(Path(path))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ManifestError(f"{path}: no such file or folder")
    return path


def _text(site: str, manifest: Manifest) -> pd.Series:
    return pd.Series([site] * len(manifest), index=manifest.frame.index, dtype="string")


def _of_site(manifest: Manifest, site: str) -> pd.DataFrame:
    frame = manifest.frame.assign(site=_text(site, manifest))
    for column in _OF_ONE_SITE:
        frame[column] = f"{site}/" + frame[column]  # NA stays NA
    return frame


def _join(said: Mapping[str, Statement]) -> Statement:
    """One statement of several; what is of one file is said with its site."""
    cells: dict[str, Counter[str]] = {}
    left_out: Counter[str] = Counter()
    for statement in said.values():
        left_out.update(statement.left_out)
        for split, counts in statement.cells.items():
            cells.setdefault(split, Counter()).update(counts)
    return Statement(
        data=", ".join(f"{site} ({one.data})" for site, one in said.items()),
        layout="; ".join(f"{site}: {one.layout}" for site, one in said.items()),
        n_files=sum(one.n_files for one in said.values()),
        not_looked_at=_prefixed(said, "not_looked_at"),
        tables_used=tuple(
            f"{site}/{name}" for site, one in said.items() for name in one.tables_used
        ),
        tables_not_used={
            f"{site}/{name}": why
            for site, one in said.items()
            for name, why in one.tables_not_used.items()
        },
        label_from=_words(said, "label_from"),
        split_from=_words(said, "split_from"),
        spelled={k: v for one in said.values() for k, v in one.spelled.items()},
        groups={k: v for one in said.values() for k, v in one.groups.items()},
        unknown=tuple(sorted({name for one in said.values() for name in one.unknown})),
        left_out=dict(left_out),
        cells={split: dict(counts) for split, counts in cells.items()},
        patients=sum(one.patients for one in said.values()),
        without_patient=sum(one.without_patient for one in said.values()),
        notes=tuple(f"{site}: {note}" for site, one in said.items() for note in one.notes),
    )


def _prefixed(said: Mapping[str, Statement], name: str) -> dict[str, tuple[str, ...]]:
    merged: dict[str, tuple[str, ...]] = {}
    for site, statement in said.items():
        for why, files in getattr(statement, name).items():
            merged[why] = (*merged.get(why, ()), *(f"{site}/{file}" for file in files))
    return merged


def _words(said: Mapping[str, Statement], name: str) -> str:
    return "; ".join(
        f"{site}: {words}" for site, one in said.items() if (words := getattr(one, name))
    )
