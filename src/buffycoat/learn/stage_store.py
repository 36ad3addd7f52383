"""Resume: a stage runs again only if its inputs or its settings changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.backbones.weights import sha256
from buffycoat.config import ClassifyConfig, EmbedConfig, SegmentConfig, to_hash
from buffycoat.errors import OutputError
from buffycoat.images import write_atomic, writing
from buffycoat.images.work import reserve

WithWeights = ClassifyConfig | EmbedConfig | SegmentConfig
ROWS_AT_ONCE = 256
"""Of an array in memory at a time, where one is made of others."""
FORMAT = 3
"""Raised when a stage's meaning changes, so that no result of an older version is served."""


@dataclass(frozen=True)
class StageResult:
    """What a stage left.

    Attributes:
        key: Fingerprint of what it depended on and of what came out; goes into the next stage's,
            so that a stage that was run again with another result is not mixed with older ones.
        arrays: Its arrays, memory-mapped from disk.
        values: Its plain values.
        folder: Where they lie.
    """

    key: str
    arrays: Mapping[str, np.ndarray]
    values: Mapping[str, Any]
    folder: Path


Outcome = tuple[Mapping[str, np.ndarray], Mapping[str, Any]]


@dataclass(frozen=True)
class StageStore:
    """Results of stages, each in a folder named by its fingerprint."""

    root: Path

    def folder(self, stage: str, inputs: Mapping[str, Any]) -> tuple[str, Path]:
        """Fingerprint and folder of a stage with these inputs."""
        text = json.dumps({"format": FORMAT, "stage": stage, **inputs}, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        return key, self.root / f"{stage}-{key}"

    def has(self, stage: str, inputs: Mapping[str, Any]) -> bool:
        """Whether the result of a stage with these inputs is stored."""
        return (self.folder(stage, inputs)[1] / "done.json").exists()

    def run(
        self, stage: str, inputs: Mapping[str, Any], compute: Callable[[Path], Outcome]
    ) -> StageResult:
        """The stored result of a stage, or a new one.

        Args:
            stage: Its name.
            inputs: Keys of earlier stages and settings, as JSON values.
            compute: Called with the stage's folder, where it may keep checkpoints; returns
                arrays and plain values.

        Raises:
            OutputError: The folder cannot be written.
        """
        key, folder = self.folder(stage, inputs)
        done = folder / "done.json"
        if not done.exists():
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{folder}: cannot be made ({error})") from error
            arrays, values = compute(folder)
            for name, array in arrays.items():
                _save(folder / f"{name}.npy", array)
            record = {
                "key": digest(key, dict(values), {n: _sha256(a) for n, a in arrays.items()}),
                "arrays": sorted(arrays),
                "values": dict(values),
                "inputs": dict(inputs),
            }
            write_atomic(done, json.dumps(record, indent=1).encode())
        record = json.loads(done.read_text(encoding="utf-8"))
        loaded = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in record["arrays"]
        }
        return StageResult(record["key"], loaded, record["values"], folder)


def _save(path: Path, array: np.ndarray) -> None:
    if isinstance(array, np.memmap) and Path(str(array.filename)) == path:
        array.flush()
        return
    with writing(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def _sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def gather(path: Path, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Rows of arrays under each other in a file: memory does not grow with them.

    Args:
        path: `NAME.npy` in a stage's folder, where the result is kept as `NAME` without a copy.
        parts: Arrays (n, ...) of one shape but for n, perhaps memory-mapped; and the rows wanted of
            each, shape (m,). At least one row in all.

    Returns:
        The map of the file.
    """
    first = parts[0][0]
    shape = (sum(len(rows) for _, rows in parts), *first.shape[1:])
    found = np.lib.format.open_memmap(path, "w+", first.dtype, shape)
    reserve(path, found.offset)
    done = 0
    for array, rows in parts:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = array[rows[start : start + ROWS_AT_ONCE]]
            found[done : done + len(some)] = some
            done += len(some)
    return found


def of_weights(weights: str) -> str | None:
    """SHA-256 of a file of weights that the settings name by its path; None if they name no file.

    A path says nothing of what lies there today.
    """
    path = Path(weights)
    return sha256(path) if weights and path.is_file() else None


def hash_of(section: WithWeights) -> str:
    """Fingerprint of settings with `weights`; a file that they name counts by `of_weights` alone.

    So a file may be moved, and what was trained from it is still found.
    """
    if of_weights(section.weights) is None:
        return to_hash(section)
    return to_hash(section.model_copy(update={"weights": ""}))


def digest(*parts: object) -> str:
    """A short fingerprint of plain values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
