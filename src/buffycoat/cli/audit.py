"""`buffycoat audit`: leaks, duplicates and shortcuts in a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, results_console
from buffycoat.cli.errors import EXIT_FINDINGS
from buffycoat.cli.output import check_folder
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LabelsFrom, Layout, LeaveOut, print_statement
from buffycoat.errors import ConfigError
from buffycoat.plurals import counted

if TYPE_CHECKING:
    import numpy as np

    from buffycoat.audit.findings import Audit, Result

MAX_SHOWN = 5
"""Findings of a check in the terminal; page and JSON have more."""
PAGE = "audit.html"
TABLE = "audit.json"
STYLES = {
    "found": "bold red",
    "ignored": "yellow",
    "noted": "green",
    "passed": "green",
    "not checked": "dim",
}


def audit(
    data: Annotated[
        Path,
        typer.Argument(help="Folder or table of cells, as train takes it.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help=f"Folder for {PAGE}, with pictures of the pairs, and {TABLE}."),
    ] = None,
    layout: Layout = "auto",
    labels_from: LabelsFrom = "auto",
    leave_out: LeaveOut = None,
    taxonomy: Annotated[
        str, typer.Option(help="auto, wbcbench, pbc, blood or a .toml file: names of classes.")
    ] = "auto",
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHECK", help="Accept the findings of a check; it is reported. Repeatable."
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="BUNDLE",
            help="Folder of a bundle whose frozen encoder gives embeddings; implies --embedding.",
        ),
    ] = None,
    with_embedding: Annotated[
        bool | None,
        typer.Option(
            "--embedding/--no-embedding",
            help="Compare embeddings as well (of `starter` unless --encoder says otherwise): "
            "slower, and of planted copies it found no more. Off by default.",
        ),
    ] = None,
    um_per_px: Annotated[
        float | None,
        typer.Option(
            help="Micrometres that one pixel of all photographs is wide, for embeddings of a "
            "bundle that frames by scale; default: column um_per_px of the table of cells, if it "
            "has one."
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps embeddings; default: buffycoat's in the user's cache."
        ),
    ] = None,
) -> None:
    """Find leaks, duplicates and shortcuts that would distort scores on a data set.

    Exact and near duplicates in two splits, or in training cells that are cut into folds, twins of
    held-out cells in training, one photograph with two labels, shared patients, ids in the order of
    labels, labels or splits that image size or file metadata tell, unreadable files, classes
    without training cells. Exit code 4 on a finding.

    Example: `buffycoat audit cells.csv --out audit/`
    """
    from buffycoat.api import data_audit
    from buffycoat.audit import run
    from buffycoat.cli.cache import embeddings_cache
    from buffycoat.sources.options import Reading
    from buffycoat.sources.read import read

    run.check_names(ignore or ())
    if out is not None:
        check_folder(out)
    is_embedded = encoder is not None if with_embedding is None else with_embedding
    if um_per_px is not None and not is_embedded:
        raise ConfigError(
            "--um-per-px: frames cells for embeddings, and none are compared. Add --embedding, or "
            "leave it out"
        )
    reading = Reading(taxonomy, labels_from, tuple(leave_out or ()))
    manifest = read(data, layout, reading)
    print_statement(manifest)
    with make_reporter() as reporter:
        result = data_audit.audit(
            manifest,
            name=str(data),
            ignore=ignore or (),
            encoder=(encoder or "starter") if is_embedded else None,
            cache=embeddings_cache(cache) if is_embedded else None,
            um_per_px=um_per_px,
            progress=reporter,
        )
    if out is not None:
        _write(result, out)
    _print(result, out)
    if not result.is_clean:
        raise typer.Exit(EXIT_FINDINGS)


def _write(result: Audit, out: Path) -> None:
    import json

    from buffycoat.images import write_atomic
    from buffycoat.report.audit_page import write_audit_page

    table = result.to_dict()
    write_atomic(out / TABLE, json.dumps(table, indent=1, allow_nan=False).encode())
    write_audit_page(out / PAGE, table, _read_or_none)


def _read_or_none(path: str) -> np.ndarray | None:
    from buffycoat.errors import ImageError
    from buffycoat.images import read

    try:
        return read(path)
    except ImageError:
        return None


def _print(result: Audit, out: Path | None) -> None:
    from rich.table import Table

    table = Table(
        title=f"{escape(result.data)}: {counted(result.n_cells, 'cell')}", title_justify="left"
    )
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("looked at", overflow="fold")
    for one in result.results:
        state = f"[{STYLES[one.state]}]{_state(one)}[/]"
        table.add_row(one.name, state, escape(one.looked.not_checked or one.looked.said))
    console = results_console()
    console.print(table)
    for one in result.of_state("found", "ignored", "noted"):
        _print_findings(one, out)
    if out is not None:
        console.print(
            f"Page: {escape(str(out / PAGE))}; table: {escape(str(out / TABLE))}", soft_wrap=True
        )
    failed = result.of_state("found")
    if failed:
        names = ", ".join(one.name for one in failed)
        errors_console().print(
            f"[bold red]{counted(len(failed), 'check')} failed:[/] {names}. Scores on this data "
            "are not what they seem until that is dealt with, or accepted by --ignore CHECK",
            highlight=False,
        )


def _state(one: Result) -> str:
    n_notes = len(one.looked.findings) - one.n_findings
    if one.state == "noted":
        return f"passed, {counted(n_notes, 'note')}"
    if one.state == "ignored":
        return f"{one.n_findings} accepted"
    return counted(one.n_findings, "finding") if one.state == "found" else one.state


def _print_findings(one: Result, out: Path | None) -> None:
    console = results_console()
    is_grave = one.state in ("found", "ignored")
    head = f"{one.name}: {one.trouble}" if is_grave else one.name
    console.print(f"\n[{STYLES[one.state]}]{escape(head)}[/]", highlight=False)
    for finding in one.looked.findings[:MAX_SHOWN]:
        mark = "note: " if finding.severity == "note" else ""
        console.print(f"  - {mark}{escape(finding.message)}", highlight=False, soft_wrap=True)
    more = len(one.looked.findings) - MAX_SHOWN
    if more > 0:
        where = "--out FOLDER lists" if out is None else f"{escape(str(out))} has"
        console.print(f"  ... and {more:,} more ({where} them)", highlight=False)
    if is_grave:
        console.print(f"  Why it matters: {escape(one.why)}", highlight=False)
        console.print(f"  What to do: {escape(one.remedy)}", highlight=False)
