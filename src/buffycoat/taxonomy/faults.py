"""What can be wrong with a class or group: a TOML file can hold any type."""

from __future__ import annotations

from collections.abc import Sequence

from buffycoat.taxonomy.classes import CellClass, CellGroup
from buffycoat.taxonomy.spelling import plain


def class_faults(cell: CellClass) -> list[str]:
    """One sentence a fault of a class; codes become column names."""
    faults = [
        f"class {cell.code!r}: {field} is {value!r}, expected text"
        for field, value in (("code", cell.code), ("name", cell.name), ("lineage", cell.lineage))
        if not isinstance(value, str) or not value.strip()
    ]
    if isinstance(cell.code, str) and any(c.isspace() or c == "," for c in cell.code):
        faults.append(
            f"class {cell.code!r}: a code must have no space and no comma, since it becomes the "
            f'name of a column. Choose a short code, and add aliases = ["{cell.code}"]'
        )
    faults += _alias_faults(cell)
    if cell.maturation is not None and type(cell.maturation) is not int:
        faults.append(f"class {cell.code!r}: maturation is {cell.maturation!r}, expected a number")
    if not isinstance(cell.is_leukocyte, bool):
        faults.append(
            f"class {cell.code!r}: is_leukocyte is {cell.is_leukocyte!r}, expected a bool"
        )
    return faults


def name_faults(known: Sequence[CellClass | CellGroup]) -> list[str]:
    """One sentence a name that two classes or groups claim, so that a label could mean either."""
    owners: dict[str, str] = {}
    faults = []
    for one in known:
        for name in dict.fromkeys((one.code, one.name, *one.aliases)):
            if isinstance(name, str) and owners.setdefault(plain(name), one.code) != one.code:
                faults.append(f"{name!r} is a name of {owners[plain(name)]!r} and of {one.code!r}")
    return faults


def _alias_faults(named: CellClass | CellGroup) -> list[str]:
    if all(isinstance(alias, str) and alias.strip() for alias in named.aliases):
        return []
    return [f"{named.code!r}: aliases are {named.aliases!r}, expected a list of names"]


def group_faults(group: CellGroup, codes: tuple[str, ...]) -> list[str]:
    """One sentence a fault of a group of the classes with these codes."""
    strange = [code for code in group.members if code not in codes]
    faults = [f"group {group.code!r}: {code!r} is no class here" for code in strange]
    if len(set(group.members)) < 2:
        faults.append(f"group {group.code!r}: a group has two classes or more")
    if group.code in codes:
        faults.append(f"group {group.code!r}: a class has this code already")
    return faults + _alias_faults(group)
