"""Progress of a command, on standard error."""

from __future__ import annotations

from buffycoat.api.progress import LineReporter, RichReporter, reporter_on
from buffycoat.cli.console import errors_console, quiet_libraries


def make_reporter() -> RichReporter | LineReporter:
    """Bars if standard error is a terminal, lines otherwise; use it in a `with` block."""
    quiet_libraries()
    return reporter_on(errors_console())
