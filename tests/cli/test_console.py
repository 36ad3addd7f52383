"""Letters that a terminal cannot print do not end a command."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [("utf-8", "69 µm² – 1…"), ("ascii", "69 um^2 - 1..."), ("latin-1", "69 µm² - 1...")],
)
def test_what_cannot_be_encoded_is_spelled_out(encoding: str, printed: str) -> None:
    code = (
        "from buffycoat.cli.console import results_console, spell_out; spell_out(); "
        "results_console().print('69 µm² – 1…')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert done.stdout.decode(encoding).strip() == printed


def test_a_warning_of_ours_is_a_sentence_without_code() -> None:
    code = (
        "import warnings; from buffycoat.backbones.choice import EngineWarning; "
        "from buffycoat.cli.console import plain_warnings; plain_warnings(); "
        "warnings.warn('a.onnx runs in torch', EngineWarning); warnings.warn('of a library')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    ours, *others = done.stderr.splitlines()
    assert ours == "a.onnx runs in torch"
    assert "UserWarning: of a library" in others[0]
