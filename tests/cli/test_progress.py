from __future__ import annotations

import io

from rich.console import Console

from buffycoat.cli.progress import LineReporter, RichReporter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _lines(run) -> list[str]:
    text, clock = io.StringIO(), Clock()
    with LineReporter(Console(file=text, width=120), clock) as reporter:
        run(reporter, clock)
    return text.getvalue().splitlines()


def test_lines_come_at_most_every_ten_seconds_with_speed_and_time_left() -> None:
    def run(reporter: LineReporter, clock: Clock) -> None:
        reporter.start("restore", "pix2pix")
        for done in range(31):
            reporter.advance(done, 60)
            clock.now += 1
        reporter.finish("gate kept 12")

    lines = _lines(run)
    assert lines[0] == "[restore] pix2pix"
    assert lines[1:-1] == [
        "[restore] 10/60, 0:00:10 elapsed, 1.0/s, 0:00:50 left",
        "[restore] 20/60, 0:00:20 elapsed, 1.0/s, 0:00:40 left",
        "[restore] 30/60, 0:00:30 elapsed, 1.0/s, 0:00:30 left",
    ]
    assert lines[-1] == "[restore] done in 0:00:31: gate kept 12"


def test_a_resumed_stage_is_timed_from_where_it_went_on() -> None:
    def run(reporter: LineReporter, clock: Clock) -> None:
        reporter.start("classify")
        clock.now += 5
        reporter.advance(900, 1000)
        clock.now += 50
        reporter.advance(950, 1000)

    assert _lines(run)[-1].endswith("950/1000, 0:00:55 elapsed, 1.0/s, 0:00:50 left")


def test_the_last_step_is_left_to_the_line_that_ends_the_stage() -> None:
    def run(reporter: LineReporter, clock: Clock) -> None:
        reporter.start("embed", "frozen")
        clock.now += 30
        reporter.advance(10, 10)
        reporter.finish()

    assert _lines(run) == ["[embed] frozen", "[embed] done in 0:00:30"]


def test_a_stage_without_steps_and_square_brackets_are_no_trouble() -> None:
    def run(reporter: LineReporter, clock: Clock) -> None:
        reporter.say("kept [bold]as it is[/bold]")
        reporter.start("evaluate")
        clock.now += 20
        reporter.advance(0, 0)
        reporter.finish()

    lines = _lines(run)
    assert lines[0] == "kept [bold]as it is[/bold]"
    assert lines[-1] == "[evaluate] done in 0:00:20"


def test_bars_show_each_stage_and_what_it_found() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=120, color_system=None)
    with RichReporter(console) as reporter:
        reporter.start("segment", "stain")
        reporter.advance(3, 10)
        reporter.say("a line [for] the person")
        reporter.finish("9 of 10 found")
        reporter.start("embed")
        reporter.advance(1, 2)
    shown = text.getvalue()
    assert "segment" in shown
    assert "9 of 10 found" in shown
    assert "a line [for] the person" in shown
    assert "1/2" in shown.splitlines()[-1] or "1/2" in shown
