"""Atomic writing: a file is there whole, or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from buffycoat.errors import BuffycoatError, OutputError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Write a file so that it is there whole or not at all.

    Args:
        path: The file to write; its folder is made if need be.

    Yields:
        A path beside it, with the same suffix, to write to. It is moved into place at the end of
        the block, or removed if the block fails. Who may read it follows the umask, whatever wrote
        it.

    Raises:
        OutputError: The disk is full, or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem[:80]}.{uuid.uuid4().hex[:8]}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _open_to_others(part)
        os.replace(part, path)
    except BuffycoatError:
        raise
    except OSError as error:
        if error.filename and Path(os.fsdecode(error.filename)).parent not in {
            path.parent, *path.parents
        }:  # fmt: skip
            raise  # another file than this one: not ours to explain
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path}: cannot be written ({reason}). Free some disk space or choose a folder that "
            "you may write to, then run again; nothing half-written was left behind"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _open_to_others(part: Path) -> None:
    """Give a file that its writer made for the owner alone, as safetensors does, the usual mode."""
    if os.name != "posix" or part.stat().st_mode & 0o077:
        return
    new = part.with_name(f"{part.name}.mode")  # the umask cannot be asked for without setting it
    try:
        new.touch()
        part.chmod(stat.S_IMODE(new.stat().st_mode))
    finally:
        new.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write bytes to a file, whole or not at all (see `writing`)."""
    with writing(path) as part:
        part.write_bytes(data)


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an image without loss.

    Args:
        path: File to write, whole or not at all.
        image: Shape (h, w, 3) or (h, w), uint8; or (h, w), bool, for a mask.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    write_atomic(path, buffer.getvalue())
