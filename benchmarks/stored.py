"""Restorers in folders of their own, and fingerprints under which figures are kept for resuming."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

import buffycoat
from buffycoat.backbones.arrays import save_arrays
from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.config import to_hash
from buffycoat.errors import WeightsNotFoundError
from buffycoat.images import write_atomic, writing
from buffycoat.restore import apply as restorers
from buffycoat.restore.one_by_one import Restorer

SETTINGS, WEIGHTS = "restorer.json", "restorer.safetensors"
CODE = ("restore", "segment", "predict/cleaning.py")
"""What decides on restored images besides the bundle; a change of it makes older figures void."""


def write_restorer(folder: Path, restorer: Restorer) -> None:
    """Write a restorer as `read_restorer` takes it."""
    write_json(folder / SETTINGS, restorer.to_dict())
    with writing(folder / WEIGHTS) as part:
        save_arrays(restorer.to_tensors(), part)


def read_restorer(folder: Path) -> Restorer:
    """The restorer of a folder that `benchmarks.train_restorer` made.

    Raises:
        WeightsNotFoundError: One of its two files is missing.
    """
    missing = [name for name in (SETTINGS, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise WeightsNotFoundError(
            f"{folder}: {' and '.join(missing)} not found. Make them with: "
            f"python -m benchmarks.train_restorer DATA --out {folder}"
        )
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return restorers.from_tensors(settings, load_file(folder / WEIGHTS))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write plain values as JSON, whole or not at all."""
    write_atomic(path, (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())


def code_key() -> str:
    """Fingerprint of the code that restores, segments and gates."""
    root = Path(buffycoat.__file__).parent
    files = [file for name in CODE for file in sorted((root / name).rglob("*.py"))]
    files += [root / name for name in CODE if name.endswith(".py")]
    content = hashlib.sha256()
    for file in files:
        content.update(file.name.encode() + file.read_bytes())
    return content.hexdigest()[:16]


def restorer_key(restorer: Restorer) -> str:
    """Fingerprint of a restorer and its code."""
    return files.fingerprint(restorer.to_tensors(), restorer.to_dict(), code_key())


def restoration_key(fitted: Fitted) -> str:
    """Fingerprint of a bundle's restoration as a whole: severity, restorer, gate and their code."""
    parts = fitted.restoration
    gate = parts.gate.to_dict() if parts.gate else None
    settings = (parts.severity.to_dict(), gate, to_hash(parts.config), fitted.encoder.fingerprint)
    return files.fingerprint({}, restorer_key(parts.restorer), *settings)
