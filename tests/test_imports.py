"""Rooms import only from rooms above them, siblings never, and help loads nothing heavy."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "buffycoat"

ROOMS = """
errors plurals optional progress notes config taxonomy statement cells images tables exchange
sources splits statistics white simulate evaluate backbones sites losses training restore segment
fields classify embed fuse audit refine report bundle predict batch serve learn api cli
""".split()
"""A room imports only from rooms before it. The design's order, but for `config`, which needs
nothing of the rooms above it there and from which `images` takes its settings."""

SIBLINGS = {"restore", "segment", "classify", "embed", "fuse", "refine"}


HEAVY = {"torch", "torchvision", "timm", "lightning", "sklearn", "skimage", "cv2", "pandas"}
HEAVY |= {"pyarrow", "scipy", "transformers", "matplotlib", "openvino", "PIL", "ray"}

FILES = sorted(SOURCE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def _rooms_imported(path: Path, tree: ast.AST) -> set[str]:
    """Rooms of buffycoat that a file imports, also inside functions and for types only."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import, line {node.lineno}"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names]
    return {p[1] for p in parts if p[0] == "buffycoat" and len(p) > 1} - {"__version__", "load"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_from_rooms_above_it(path: Path) -> None:
    room = _room(path)
    if room == "__init__":  # it gathers the public names of `api`
        return
    assert room in ROOMS, f"{room!r} is a new room: add it to the design and to this test"
    for other in _rooms_imported(path, ast.parse(path.read_text(encoding="utf-8"))) - {room}:
        assert other in ROOMS, f"{path.name} imports buffycoat.{other}, which is no room"
        assert not {room, other} <= SIBLINGS, f"siblings: {room} imports {other}"
        assert ROOMS.index(other) < ROOMS.index(room), f"{room} imports {other}, which is below it"


def test_the_walk_sees_imports_inside_functions() -> None:
    tree = ast.parse(
        "def f():\n    from buffycoat.refine.rescue import apply\n    import buffycoat.cli"
    )
    assert _rooms_imported(Path("example.py"), tree) == {"refine", "cli"}


def test_no_room_is_named_for_leftovers() -> None:
    names = {path.stem for path in SOURCE.rglob("*")}
    assert not names & {"utils", "util", "helpers", "common", "misc"}


def _modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running the code."""
    probe = f"{code}\nimport json, sys\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


HELP = """
import sys
from buffycoat.cli.main import app
sys.argv = ["buffycoat", {arguments}]
try:
    app()
except SystemExit as stop:
    assert not stop.code, stop.code
"""


@pytest.mark.parametrize(
    "code",
    ["import buffycoat", HELP.format(arguments="'--help'")]
    + [HELP.format(arguments="'bench', 'classify', '--help'")]
    + [HELP.format(arguments="'bench', 'sites', '--help'")]
    + [
        HELP.format(arguments=f"'{command}', '--help'")
        for command in (
            "adapt annotate find train report predict export measure restore evaluate compare "
            "differential agree send audit suspects suggest demo doctor".split()
        )
    ],
)
def test_import_and_help_load_nothing_heavy(code: str) -> None:
    assert sorted(_modules_after(code) & HEAVY) == []


TRAINS = ("learn", "training", "losses")


def test_prediction_loads_nothing_that_trains() -> None:
    probe = (
        "import buffycoat.predict, buffycoat.predict.predictor, buffycoat.predict.local, sys\n"
        "print('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = done.stdout.split()
    assert "buffycoat.predict.bracket" in loaded
    assert [name for name in loaded if name.split(".")[1:2] and name.startswith("buffycoat.")
            and name.split(".")[1] in TRAINS] == []  # fmt: skip
    assert {"torch", "torchvision", "timm", "sklearn", "lightning"}.isdisjoint(loaded)
