"""CPUs that a process may use: affinity, the container's quota, OMP_NUM_THREADS; and its memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from buffycoat.backbones import control_groups, memory, threads


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(control_groups, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "OWN_CGROUP", tmp_path / "own")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return tmp_path


def _grant(machine: Path, group: str, text: str, own: str, file: str = "cpu.max") -> None:
    folder = machine / "cgroup" / group
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text)
    (machine / "own").write_text(own)


def test_without_a_quota_it_is_what_the_scheduler_gives(machine: Path) -> None:
    assert threads.cpus() == 8
    _grant(machine, "", "max 100000\n", "0::/\n")
    assert threads.cpus() == 8


@pytest.mark.parametrize(("quota", "expected"), [("50000", 1), ("250000", 3), ("9900000", 8)])
def test_a_quota_counts_and_part_of_a_cpu_is_one(machine: Path, quota: str, expected: int) -> None:
    _grant(machine, "", f"{quota} 100000\n", "0::/\n")
    assert threads.cpus() == expected


def test_the_least_quota_on_the_way_up_counts(machine: Path) -> None:
    _grant(machine, "pod", "200000 100000", "0::/pod/box\n")
    _grant(machine, "pod/box", "400000 100000", "0::/pod/box\n")
    assert threads.cpus() == 2


def test_the_group_of_a_container_is_the_root_whatever_its_path(machine: Path) -> None:
    _grant(machine, "", "200000 100000", "0::/../elsewhere\n")
    assert threads.cpus() == 2


def test_the_first_version_of_control_groups(machine: Path) -> None:
    own = "4:cpu,cpuacct:/box\n3:memory:/box\n"
    _grant(machine, "cpu/box", "300000", own, "cpu.cfs_quota_us")
    _grant(machine, "cpu/box", "100000", own, "cpu.cfs_period_us")
    assert threads.cpus() == 3
    _grant(machine, "cpu/box", "-1", own, "cpu.cfs_quota_us")
    assert threads.cpus() == 8


def test_the_user_may_want_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert threads.cpus() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert threads.cpus() == 8


@pytest.mark.skipif(memory.total_bytes() is None, reason="memory is not known here")
@pytest.mark.parametrize(
    ("groups", "own", "file"),
    [
        ({"pod": "1073741824", "pod/box": "2147483648"}, "0::/pod/box\n", "memory.max"),
        ({"": "1073741824"}, "0::/../elsewhere\n", "memory.max"),
        ({"pod": "1073741824", "pod/box": "max"}, "0::/pod/box\n", "memory.max"),
        (
            {"memory": "9223372036854771712", "memory/box": "1073741824"},
            "4:cpu:/\n3:memory:/box\n0::/\n",
            "memory.limit_in_bytes",
        ),
    ],
)
def test_memory_is_the_least_that_a_group_on_the_way_up_grants(
    machine: Path, groups: dict[str, str], own: str, file: str
) -> None:
    whole = memory.total_bytes()
    for group in groups:
        _grant(machine, group, "max\n", own, file)
    assert memory.total_bytes() == whole
    for group, limit in groups.items():
        _grant(machine, group, limit, own, file)
    assert memory.total_bytes() == 2**30
