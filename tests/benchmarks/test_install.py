"""What is installed in clean environments."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import install


def test_a_wheel_alone_is_enough_and_several_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alone").mkdir()
    wheel, archive = (tmp_path / "alone" / f"buffycoat-1{end}" for end in (".whl", ".tar.gz"))
    wheel.touch()
    assert install.built(wheel.parent) == (wheel, None)
    archive.touch()
    assert install.built(wheel.parent) == (wheel, archive)
    wheel.unlink()
    with pytest.raises(SystemExit, match=r"one wheel.*it holds buffycoat-1\.tar\.gz\. Empty it"):
        install.built(wheel.parent)
    for name in ("a.whl", "b.whl"):
        (wheel.parent / name).touch()
    with pytest.raises(SystemExit, match=r"a\.whl, b\.whl"):
        install.built(wheel.parent)

    def build(out: Path) -> None:
        (out / "new.whl").touch()
        (out / "new.tar.gz").touch()

    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(install, "build", build)
    found = install.built(tmp_path / "empty")
    assert [path and path.name for path in found] == ["new.whl", "new.tar.gz"]
