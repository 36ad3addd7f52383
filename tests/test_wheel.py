"""Wheel and source archive: complete, and at work in an environment without the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from benchmarks import install

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive that lies beside it."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    return install.build(tmp_path_factory.mktemp("dist"))


def _sources(folder: str) -> set[str]:
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {p.relative_to(ROOT).as_posix() for p in files if "__pycache__" not in p.parts}


def test_the_wheel_has_every_file_of_the_package(built: Path) -> None:
    with zipfile.ZipFile(built) as wheel:
        names = {f"src/{name}" for name in wheel.namelist() if name.startswith("buffycoat/")}
    assert names == _sources("src")
    for file in ("starter/bundle.json", "serve/page/index.html", "presets/demo.toml",
                 "serve/migrations/env.py", "report/templates/page.html.jinja"):  # fmt: skip
        assert f"src/buffycoat/{file}" in names
    assert built.stat().st_size < 30_000_000


def test_the_archive_has_what_its_tests_need(built: Path) -> None:
    (archive,) = built.parent.glob("*.tar.gz")
    with tarfile.open(archive) as sources:
        names = {name.partition("/")[2] for name in sources.getnames()}
    assert _sources("src") <= names
    assert {"LICENSE", "Makefile", "constraints.txt", "benchmarks/install.py", "tools/pins.py",
            "tests/conftest.py", "Dockerfile"} <= names  # fmt: skip
    assert not [name for name in names if name.startswith(("shared", ".venv", "runs"))]


@pytest.fixture(scope="module")
def bin_folder(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an environment with the wheel; what it depends on is read from this one, for speed."""
    folder = tmp_path_factory.mktemp("clean") / "env"
    venv.create(folder, with_pip=False, symlinks=sys.platform != "win32")
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(scripts / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--no-compile", str(built)], check=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(install.run(folder, scripts / "python", "-c", code).strip())
    # Its .pth files are not followed from here, and with them not the editable checkout.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return scripts


def test_it_classifies_drawn_cells(bin_folder: Path, tmp_path: Path) -> None:
    found = install.classify(tmp_path, bin_folder)
    assert len(found["labels"]) == install.N_CELLS


DATA = """
import json
from importlib import resources
from buffycoat import config, __file__
from buffycoat.serve.database import Store
from buffycoat.serve.migrate import migrate
migrate(Store("sqlite:///review.sqlite"))
print(json.dumps({
    "package": __file__,
    "work_px": config.load("travel").images.work_px,
    "page": resources.files("buffycoat.serve").joinpath("page/index.html").is_file(),
}))
"""


def test_the_review_s_page_and_database_come_along(bin_folder: Path, tmp_path: Path) -> None:
    found = json.loads(install.run(tmp_path, bin_folder / "python", "-c", DATA))
    assert Path(found["package"]).is_relative_to(bin_folder.parent)
    assert found["page"]
    assert found["work_px"] > 0
