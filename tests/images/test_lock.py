"""One command writes into a folder: a second is refused, a killed one leaves nothing that holds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.errors import OutputError
from buffycoat.images import only_writer, write_png
from buffycoat.images.lock import LOCK

HOLD = """
import multiprocessing, sys, time
from pathlib import Path
from buffycoat.images import only_writer

if __name__ == "__main__":
    with only_writer(Path(sys.argv[1])):
        child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
        child.start()
        print(child.pid, flush=True)
        time.sleep(60)
"""


def test_a_second_one_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with only_writer(out):
        with (
            pytest.raises(OutputError, match=r"run: another command.*Wait.*another --out"),
            only_writer(out),
        ):
            pass
        (out / "result").touch()
    with only_writer(out):
        pass
    assert [path.name for path in out.iterdir()] == ["result"]


def test_a_folder_that_stays_empty_is_there_only_if_it_was(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for name in ("new", "old"):
        with only_writer(tmp_path / name):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_killed_one_holds_nothing_even_if_its_children_live(tmp_path: Path) -> None:
    script = tmp_path / "hold.py"
    script.write_text(HOLD)
    first = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    child = int(first.stdout.readline())
    try:
        with pytest.raises(OutputError, match="another command"), only_writer(tmp_path / "run"):
            pass
        first.kill()
        first.wait()
        first.stdout.close()
        assert (tmp_path / "run" / LOCK).exists()
        os.kill(child, 0)  # it lives
        with only_writer(tmp_path / "run"):
            pass
        assert not (tmp_path / "run").exists() or not list((tmp_path / "run").iterdir())
    finally:
        os.kill(child, signal.SIGKILL)


COMMANDS = {
    "train": "train CELLS --preset demo --out OUT",
    "pretrain": "pretrain CELLS --preset demo --out OUT",
    "demo": "demo --no-browser --out OUT",
    "demo-quick": "demo --quick --no-browser --out OUT",
    "adapt": "adapt starter CELLS --out OUT",
    "restore": "restore CELLS OUT",
    "find": "find FIELDS --out OUT",
    "differential": "differential starter FIELDS --out OUT",
    "bench-classify": "bench classify CELLS --grid GRID --out OUT",
    "bench-sites": "bench sites starter --site a=CELLS --out OUT",
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_no_command_writes_where_another_does(
    words: str, rendered_cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from buffycoat.simulate.fields import Placed, render_field

    monkeypatch.chdir(tmp_path)
    drawn = render_field([Placed("LY", 45, 45)], np.random.default_rng(0), 300)
    write_png(tmp_path / "FIELDS" / "1.png", drawn.image)
    (tmp_path / "GRID").write_text('preset = "demo"\n[[recipe]]\nname = "plain"\n')
    arguments = words.replace("CELLS", str(rendered_cells)).split()
    out = Path("OUT")
    out.mkdir()
    lock = out.with_name(".OUT.lock") if arguments[0] == "adapt" else None
    with only_writer(out, lock):
        result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    said = " ".join(result.stderr.split())
    assert "OUT: another command writes into this folder. Wait until it ends" in said
    assert list(out.iterdir()) == []
