"""Which files of a folder are pictures, and which are not and why: none is dropped unseen."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from buffycoat.errors import ManifestError
from buffycoat.images.formats import HEAD_BYTES, format_of_suffix, identify
from buffycoat.plurals import counted

FIGURE_SUFFIX = ".explained.png"
"""What `explain` adds to a cell's name for the figure that it draws beside it."""
CONTACT_SHEET = "contact-sheet.png"
"""What `restore` draws among the pictures that it writes."""

_KINDS = {
    "table": ".csv .tsv .tab .psv .parquet .pq .feather .arrow .orc .xlsx .xls .xlsm .ods .numbers",
    "text": ".txt .md .rst .log .rtf .tex .bib .htm .html .css .url .webloc",
    "document": ".pdf .doc .docx .odt .ppt .pptx .odp .pages .eps .ps .ai",
    "data file": ".json .jsonl .ndjson .geojson .xml .yaml .yml .toml .ini .cfg .conf .db .sqlite "
    ".sqlite3 .h5 .hdf5 .hdf .npy .npz .mat .pkl .pickle .rds .rdata .msgpack .lmdb .mdb .tfrecord "
    ".record .roi .qpdata .qpproj .ndpa .sha1 .sha256 .md5 .lock .hdr",
    "archive": ".zip .gz .tgz .bz2 .xz .7z .rar .tar .zst .lz4",
    "model": ".pt .pth .ckpt .onnx .safetensors .joblib .tflite .pb .keras .weights .bin",
    "program": ".py .pyc .pyi .ipynb .r .rmd .m .ijm .groovy .java .jar .class .c .h .cpp .cu .js "
    ".ts .sh .bat .cmd .ps1 .exe .dll .so .dylib .cmake .lnk",
    "video": ".mp4 .mov .avi .mkv .webm .m4v .mpg .mpeg .wmv .flv .3gp .wav .mp3 .m4a",
    "drawing": ".svg .svgz .ico .icns .cur .emf .wmf .drawio .vsdx",
}
_KIND_OF = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes.split()}
_CONTENTS = {
    "archive": re.compile(rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ", re.DOTALL),
    "document": re.compile(rb"%PDF|\{\\rtf|%!PS", re.DOTALL),
    "data file": re.compile(rb"\x89HDF|\x93NUMPY|SQLite format|MATLAB 5|PAR1|ARROW1", re.DOTALL),
    "video": re.compile(rb".{4}ftyp|RIFF.{4}(?:AVI|WAVE)|\x1a\x45\xdf\xa3|ID3", re.DOTALL),
    "program": re.compile(rb"\x7fELF|MZ.\0|\xca\xfe\xba\xbe", re.DOTALL),
}
_SYSTEM = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_SYSTEM_FOLDERS = frozenset(
    {"__macosx", "$recycle.bin", "system volume information", "@eadir", "#recycle", "lost+found"}
)
"""Of macOS, Windows, Linux and Synology, whose @eaDir holds a thumbnail of each picture."""
_TEXT = re.compile(rb"[\t\n\f\r\x20-\x7e\x80-\xff]*")
_NUMBERED = re.compile(r"(?:\.\d+)?")
"""Exporters leave the suffix away, or write a number there."""


@dataclass(frozen=True)
class OtherFile:
    """A file or folder that is not taken for a picture.

    Attributes:
        path: Where it is.
        kind: One of few words, as "table" or "text"; the same for files that are counted together.
    """

    path: Path
    kind: str

    @property
    def why(self) -> str:
        """The kind, and the suffix by which it was told: "table (.csv)"."""
        suffix = self.path.suffix.lower()
        return self.kind if not suffix or self.kind in _BARE else f"{self.kind} ({suffix})"


_BARE = frozenset({"hidden file", "hidden folder", "system file", "system folder", "own figure"})


@dataclass(frozen=True)
class Survey:
    """Every file under a folder.

    Attributes:
        images: Pictures by their content, or by what the name claims, sorted; also broken ones and
            formats that are not read, so that they are reported as unreadable.
        others: All other files and why they are not looked at, sorted by path. Hidden folders and
            those of an operating system are one entry each, as nobody looks into them.
    """

    images: tuple[Path, ...]
    others: tuple[OtherFile, ...]

    def left_out(self) -> str:
        """One line such as "3 files not looked at: 2 tables (.csv), 1 text (.md)", or ""."""
        if not self.others:
            return ""
        counts = Counter((other.kind, other.why) for other in self.others)
        parts = [
            f"{n:,} {why if n == 1 else why.replace(kind, f'{kind}s', 1)}"
            for (kind, why), n in counts.most_common()
        ]
        total = counted(len(self.others), "file")
        return f"{total} not looked at: {', '.join(parts)}"


def survey(folder: Path) -> Survey:
    """Sort the files under a folder, at any depth, into pictures and others.

    Links are followed, each folder once. A name that claims a picture is believed; of all other
    files the first bytes are read, so that a picture is found whatever its name. A link that leads
    nowhere is a picture that cannot be read, if its name claims one.

    Raises:
        ManifestError: A folder may not be read, so that its cells would be missed.
    """
    images: list[Path] = []
    others: list[OtherFile] = []
    for path, kind in _walk(folder, set()):
        if kind:
            others.append(OtherFile(path, kind))
        else:
            images.append(path)
    # by their parts, as paths compare, without the copies of their parts that they would keep
    images.sort(key=lambda path: str(path).replace(os.sep, "\0"))
    return Survey(tuple(images), tuple(sorted(others, key=lambda other: other.path)))


def list_images(folder: Path) -> list[Path]:
    """The pictures under a folder, sorted: see `survey`."""
    return list(survey(folder).images)


def is_image(path: Path) -> bool:
    """Whether a file is a picture by its content, or claims it by its name."""
    return not _kind(path, path.is_file())


def _walk(folder: Path, seen: set[str]) -> Iterator[tuple[Path, str]]:
    """Each file with its kind, "" for a picture."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        raise ManifestError(
            f"{error.filename}: the folder cannot be read ({error.strerror}), and its cells would "
            "be missed. Allow it to be read, or move it away"
        ) from error
    for entry in entries:
        path = folder / entry.name
        if not _holds(entry.is_dir):
            yield path, _kind(path, _holds(entry.is_file))
        elif entry.name.startswith("."):
            yield path, "hidden folder"
        elif entry.name.lower() in _SYSTEM_FOLDERS:
            yield path, "system folder"
        else:
            yield from _walk(path, seen)


def _holds(test: Callable[[], bool]) -> bool:
    try:
        return test()
    except OSError:  # a link that leads to itself
        return False


def _kind(path: Path, is_file: bool) -> str:
    """What a file is if it is no picture, else ""."""
    name, claims = path.name, format_of_suffix(path.name) is not None
    if name.lower() in _SYSTEM:
        return "system file"
    if name.startswith("."):
        return "hidden file"
    if name.endswith(FIGURE_SUFFIX) or name == CONTACT_SHEET:
        return "own figure"
    if not is_file:
        return "" if claims else "broken link" if path.is_symlink() else "device"
    return "" if claims else _kind_by_content(path, _KIND_OF.get(path.suffix.lower(), ""))


def _kind_by_content(path: Path, named: str) -> str:
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return named  # without one, it is taken, and then reported as unreadable
    found = identify(head)
    if named:
        return "" if found and found.plugin else named
    if found is not None:
        return ""
    if not head:
        return "empty file"
    for kind, pattern in _CONTENTS.items():
        if pattern.match(head):
            return kind
    if _TEXT.fullmatch(head) or head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text"
    return "" if _NUMBERED.fullmatch(path.suffix) else "unknown file"
