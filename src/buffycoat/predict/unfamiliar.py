"""What `predict` says of cells that do not look like the training cells, and what to do."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from buffycoat.plurals import counted, some_of

if TYPE_CHECKING:
    from buffycoat.bundle.fitted import Fitted
    from buffycoat.predict.results import Counts
    from buffycoat.predict.site_look import SiteLooks
    from buffycoat.refine.abroad import AbroadLimits

LEAST_CELLS = 32
"""That `adapt` takes: half a batch of those whose statistics are taken together. Of fewer, the
statistics are those of the cells that happened to come."""
ADVISED_CELLS = 200
"""Advice, not a limit: the more there are, the less it depends on which cells came."""
LARGEST_CLASS = 0.9
"""Share of the cells in one class from which `adapt` refuses them: the statistics would be of that
class, not of the site."""
MOST_NAMED = 5
"""Sites that are listed one by one."""


def sentences(
    looks: SiteLooks, fitted: Fitted, counts: Counts, bundle: str, cells: object
) -> list[str]:
    """Sites that differ, in standard deviations; the remedy; and which limits apply to their cells.

    Args:
        looks: Of the job.
        fitted: What the bundle holds.
        counts: Of all predictions.
        bundle: As the command was given it.
        cells: The same.

    Returns:
        Empty where all looks like the training cells and the bundle is of their laboratory.
    """
    alarms = {site: shift for site, shift in looks.shifts.items() if shift.is_alarm}
    found = [
        f"{_who(site, len(looks.shifts))} not look like the training cells"
        f"{_although(fitted)}: {shift.words()}."
        for site, shift in list(alarms.items())[:MOST_NAMED]
    ]
    if len(alarms) > MOST_NAMED:
        n_more = len(alarms) - MOST_NAMED
        do = "does" if n_more == 1 else "do"
        more = counted(n_more, "more site")
        found.append(f"So {do} {more} (column site_shift, above 1).")
    if alarms:
        found.append(_remedy(fitted, bundle, cells, counts))
    if fitted.is_abroad(None) or any(fitted.is_abroad(shift) for shift in alarms.values()):
        found.append(_kept(fitted.abroad, counts))
    return found


def _who(site: str, n_sites: int) -> str:
    if n_sites == 1:
        return "These cells do"
    return f"Cells of site {site!r} do" if site else "Cells without a site do"


def _although(fitted: Fitted) -> str:
    if fitted.site is None or not fitted.site.is_changed:
        return ""
    return f", although the bundle was adapted to {fitted.site.name or 'a site'!r}"


def _remedy(fitted: Fitted, bundle: str, cells: object, counts: Counts) -> str:
    if fitted.site is None:
        refused = _why_not(counts)
        if refused:
            return refused
        command = f"buffycoat adapt {shlex.quote(bundle)} {shlex.quote(str(cells))} --out adapted"
        text = f"Run `{command}`: it fits the bundle to these cells, and can lose as well as gain."
        text += " With --labels for 5 to 50 cells of each type it measures which, and learns from "
        return f"{text}them."
    if fitted.site.record.get("labels"):
        return (
            "Its probabilities and prediction sets rest on labelled cells of that site, and hold "
            "there alone. If these are of another site, adapt the bundle that this one was made "
            "from to them."
        )
    return (
        "If they are of another site than that, adapt the bundle that this one was made from to "
        "them. If they are of that site, more cannot be made up for without labels: label some by "
        "hand, and see how often the others are right (`buffycoat evaluate`)."
    )


def _why_not(counts: Counts) -> str:
    """Why `adapt` would refuse these cells, as far as their number and classes tell; "" if not."""
    if counts.n_cells < LEAST_CELLS:
        return how_many(counts.n_cells)
    ((code, n),) = counts.labels.most_common(1)
    return one_class(code, n / counts.n_cells) if n >= LARGEST_CLASS * counts.n_cells else ""


def one_class(code: str, share: float) -> str:
    """That `adapt` needs cells of more than one class, in sentences."""
    return (
        f"{100 * share:.0f} % of the cells are predicted as {code}: what they share may be their "
        "class and not their laboratory. For `adapt`, give cells of all the types that the site "
        "sees."
    )


def how_many(n_cells: int) -> str:
    """How many cells `adapt` takes, where there are too few, in a sentence."""
    are = "cell is" if n_cells == 1 else "cells are"
    return (
        f"{n_cells} {are} too few for `adapt`: collect {LEAST_CELLS} at least, better "
        f"{ADVISED_CELLS} or more, of all the types that the laboratory sees."
    )


def _kept(limits: AbroadLimits | None, counts: Counts) -> str:
    if limits is None:
        return (
            "This bundle has no limits for a laboratory that training has not seen: no such cell "
            "is kept without a look, and prediction sets cover less there than they state."
        )
    n = counts.n_cells
    kept = some_of(n - counts.n_doubtful, n, "cell", "needs", "need")
    return (
        f"Limits for a laboratory that training has not seen were used: {kept} no look. "
        f"{limits.words()} A real laboratory can be worse: check some "
        "by hand."
    )
