"""Progress for the person who waits: bars in a terminal, lines with the time left elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from buffycoat.progress import Reporter, Silent

SECONDS_BETWEEN_LINES = 10.0
SPEED_WINDOW_S = 120.0
"""The time left follows the speed over this long: shorter jumps about, longer lags behind."""


class RichReporter:
    """A bar a stage, with elapsed and remaining time; for a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _SpeedColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            speed_estimate_period=SPEED_WINDOW_S,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> RichReporter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def start(self, stage: str, detail: str = "") -> None:
        """Draw the bar of a stage."""
        self._task = self._progress.add_task(escape(stage), total=None, note=escape(detail))

    def advance(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total)

    def finish(self, note: str = "") -> None:
        """Fill the bar and leave a note beside it."""
        if self._task is None:
            return
        total = self._progress.tasks[self._progress.task_ids.index(self._task)].total or 1
        self._progress.update(self._task, completed=total, total=total)
        if note:
            self._progress.update(self._task, note=escape(note))
        self._progress.stop_task(self._task)
        self._task = None

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(escape(text), highlight=False)


class LineReporter:
    """At most a line every ten seconds, with the time left; for log files and pipes.

    Args:
        console: Where to print.
        clock: Seconds that only grow.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._stage = ""
        self._began = self._printed = self._first_at = 0.0
        self._first_done: int | None = None

    def __enter__(self) -> LineReporter:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def start(self, stage: str, detail: str = "") -> None:
        """Say that a stage begins."""
        self._stage = stage
        self._began = self._printed = self._clock()
        self._first_done = None
        self._print(f"[{stage}] {detail or 'begins'}")

    def advance(self, done: int, total: int) -> None:
        """Say how far it is, if ten seconds have passed."""
        now = self._clock()
        if self._first_done is None or done < self._first_done:
            self._first_done, self._first_at = done, now  # a resumed stage does not begin at 0
        if now - self._printed < SECONDS_BETWEEN_LINES or done >= total:
            return
        self._printed = now
        gained = done - self._first_done
        speed = gained / (now - self._first_at) if gained else 0.0
        left = f", {_rate(speed)}, {_span((total - done) / speed)} left" if speed else ""
        self._print(f"[{self._stage}] {done}/{total}, {_span(now - self._began)} elapsed{left}")

    def finish(self, note: str = "") -> None:
        """Say that the stage is over."""
        took = _span(self._clock() - self._began)
        self._print(f"[{self._stage}] done in {took}" + (f": {note}" if note else ""))

    def say(self, text: str) -> None:
        """Print a line."""
        self._print(text)

    def _print(self, text: str) -> None:
        self._console.print(escape(text), highlight=False, soft_wrap=True)


def reporter_on(console: Console) -> RichReporter | LineReporter:
    """Bars if the console is a terminal, lines otherwise; use it in a `with` block."""
    return RichReporter(console) if console.is_terminal else LineReporter(console)


@contextmanager
def shown(progress: bool | Reporter) -> Generator[Reporter]:
    """Where the progress of a public function goes.

    Args:
        progress: False for nowhere, True for standard error, or a reporter of the caller's.
    """
    if isinstance(progress, bool):
        if not progress:
            yield Silent()
            return
        with reporter_on(Console(stderr=True)) as reporter:
            yield reporter
        return
    yield progress


class _SpeedColumn(ProgressColumn):
    """Items a second, over the same time as the time left."""

    def render(self, task: Task) -> Text:
        """Empty until something was done."""
        return Text(_rate(task.speed) if task.speed else "")


def _rate(a_second: float) -> str:
    """In three digits or so: "0.25/s", "4.3/s", "230/s"."""
    return f"{a_second:.{0 if a_second >= 10 else 1 if a_second >= 1 else 2}f}/s"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
