"""What `import buffycoat` gives, and what it loads."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import buffycoat

FUNCTIONS = ("adapt", "audit", "differential", "evaluate", "find", "load", "measure", "predict")
PROBE = """
import sys, types, buffycoat
assert all(isinstance(getattr(buffycoat, name), types.FunctionType) for name in {functions})
print("\\n".join(sys.modules))
"""


def test_import_loads_nothing_but_python() -> None:
    code = PROBE.format(functions=FUNCTIONS)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"numpy", "pandas", "rich", "sklearn", "torch", "typer", "pydantic"}


def test_no_room_takes_the_place_of_a_function() -> None:
    code = (
        "import buffycoat.predict.local, buffycoat.audit.run, buffycoat.evaluate.summary\n"
        "from buffycoat.predict import workers\n" + PROBE.format(functions=FUNCTIONS)
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, stdout=subprocess.DEVNULL)


def test_every_public_name_is_documented_with_an_example() -> None:
    for name in buffycoat.__all__:
        one = getattr(buffycoat, name)
        if name == "__version__":
            continue
        assert one.__doc__, name
        if inspect.isfunction(one) or name.startswith("Cell"):
            assert ">>>" in one.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'preddict'"):
        buffycoat.preddict  # noqa: B018
