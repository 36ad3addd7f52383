"""A PostgreSQL server of one's own, for tests and benchmarks: in a folder, on a free port.

It may not run as root: as root it runs as `nobody`, in a folder that is nobody's.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

WAIT_S = 60


def programs() -> Path | None:
    """Folder of PostgreSQL's programs; None where they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    other = shutil.which("initdb")
    return Path(other).resolve().parent if other else None


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Cluster:
    """A server with databases.

    Attributes:
        programs: Folder of PostgreSQL's programs.
        folder: Its own folder, empty at first.
        port: On loopback.
    """

    programs: Path
    folder: Path
    port: int = field(default_factory=free_port)
    _count: int = 0

    @classmethod
    def begin(cls, where: Path, folder: Path) -> Cluster:
        """Make a cluster and start it.

        Args:
            where: From `programs`.
            folder: Empty.
        """
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
            for parent in (folder, *folder.parents[:3]):
                parent.chmod(parent.stat().st_mode | 0o711)
        made = cls(where, folder)
        made._run("initdb", "-D", made._data, "-U", "reviewer", "-A", "trust", "-E", "UTF8")
        made.start()
        return made

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        """Run one of PostgreSQL's programs as an unprivileged user."""
        subprocess.run(
            [str(self.programs / program), *arguments],
            check=check,
            user="nobody" if os.geteuid() == 0 else None,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=WAIT_S,
        )

    def start(self) -> None:
        """Start it and wait."""
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", log, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; "immediate" is a crash."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop", check=False)

    def create(self) -> str:
        """URL of a new, empty database."""
        import psycopg

        self._count += 1
        name = f"review{self._count}"
        where = f"host=127.0.0.1 port={self.port} user=reviewer dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://reviewer@127.0.0.1:{self.port}/{name}"
