"""A small review on rendered cells, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from buffycoat.serve import predictions as tables
from buffycoat.serve import users
from buffycoat.serve.app import make_app
from buffycoat.serve.database import Store
from buffycoat.serve.migrate import migrate
from buffycoat.serve.project import import_predictions
from buffycoat.serve.review import Review
from buffycoat.serve.settings import Settings

if TYPE_CHECKING:
    from benchmarks.postgres import Cluster

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # benchmarks are no part of the installed package

CODES = ("SNE", "LY", "MO", "BL", "ERB")
PER_SLIDE = 10
PASSWORD = "four plain words here"
ORIGIN = "http://127.0.0.1:8642"


def write_cells(folder: Path, n_slides: int = 2) -> Path:
    """Rendered cells and a table of predictions as predict writes it."""
    from buffycoat.images import write_png
    from buffycoat.simulate.render import render_cell

    rows = []
    for number in range(n_slides * PER_SLIDE):
        slide, code = number // PER_SLIDE, CODES[number % len(CODES)]
        name = f"{code}-{number}.png"
        picture = render_cell(code, np.random.default_rng(number), 48).image
        write_png(folder / "cells" / name, picture)
        rows.append(row_of(name, code, f"smear {slide + 1}", number))
    path = folder / "cells.parquet"
    pd.DataFrame(rows).to_parquet(path, index=False)
    return path


def row_of(name: str, code: str, slide: str, number: int) -> dict[str, Any]:
    is_doubtful = number % 5 == 1
    probability = 0.4 if is_doubtful else 0.9
    others = (1 - probability) / (len(CODES) - 1)
    reason = {"stage": "classify", "code": "low_probability", "text": "probability 0.40 < 0.5"}
    return {
        "cell_id": name,
        "label": code,
        "slide_id": slide,
        "patient_id": f"patient of {slide}",
        "probability": probability,
        "conformal_set": "LY MO" if is_doubtful else code,
        "is_abstained": is_doubtful,
        "reasons": "low_probability" if is_doubtful else "",
        "evidence": json.dumps([reason] if is_doubtful else []),
        "outlier_percentile": 50.0,
        "site_shift": 0.3,
        "bundle_sha256": "b" * 64,
        **{f"prob_{c}": probability if c == code else others for c in CODES},
    }


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `cells/` and `cells.parquet`."""
    folder = tmp_path_factory.mktemp("reviewed")
    write_cells(folder)
    return folder


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A PostgreSQL server; skips where its programs are not installed."""
    from benchmarks.postgres import Cluster, programs

    where = programs()
    if where is None:
        pytest.skip("PostgreSQL's initdb is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg")
    made = Cluster.begin(where, tmp_path_factory.mktemp("postgres"))
    yield made
    made.stop("immediate")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'review.sqlite'}"
    return request.getfixturevalue("cluster").create()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The database, migrated."""
    opened = Store(url)
    migrate(opened)
    yield opened
    opened.close()


@dataclass
class Served:
    """A server in this process, and clients for its users."""

    review: Review

    @property
    def store(self) -> Store:
        return self.review.store

    def client(self, name: str | None = None) -> Client:
        """A browser; with a name, signed in."""
        client = Client(make_app(self.review), self.review)
        if name is not None:
            client.post("/login", name=name, password=PASSWORD)
        client.refresh()
        return client

    def add(self, name: str, *roles: str) -> None:
        with self.store.writing() as writer:
            if not users.n_users(writer) and "admin" not in roles:
                users.add_user(writer, "test", "first admin", PASSWORD, ["admin"])
            users.add_user(writer, "test", name, PASSWORD, roles or ("reader",))


class Client:
    """A browser that sends the page's token."""

    def __init__(self, app: Any, review: Review) -> None:
        origin = min(review.settings.origins)
        self.http = TestClient(app, base_url=origin, raise_server_exceptions=True)
        self.csrf = ""

    def refresh(self) -> dict[str, Any]:
        found = self.get("/session")
        self.csrf = found.get("csrf") or ""
        return found

    def get(self, path: str, status: int = 200, **params: Any) -> dict[str, Any]:
        answer = self.http.get(f"/api/v1{path}", params=params)
        assert answer.status_code == status, answer.text
        return answer.json()

    def raw(self, path: str, **options: Any) -> Any:
        return self.http.get(f"/api/v1{path}", **options)

    def post(self, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
        headers = {"X-CSRF-Token": self.csrf}
        answer = self.http.post(f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def cells(self, slide: int, role: str = "first") -> list[dict[str, Any]]:
        """The cells of a slide, most doubtful first."""
        return self.get(f"/slides/{slide}/cells", role=role)["cells"]

    def take(self, slide: int, role: str = "first", status: int = 200) -> dict[str, Any]:
        """Take a reading."""
        return self.post(f"/slides/{slide}/readings", status, role=role)

    def finish(self, slide: int, role: str = "first") -> dict[str, Any]:
        """Finish it."""
        return self.post(f"/slides/{slide}/readings/{role}/finish")

    def sign(self, slide: int, client_id: str = "signature-1", **body: Any) -> dict[str, Any]:
        """Sign a slide."""
        return self.post(f"/slides/{slide}/sign", client_id=client_id, **body)

    def decide(self, *decisions: tuple[Any, ...], role: str = "first") -> dict[str, Any]:
        """Each (client_id, cell, label, expects)."""
        keys = ("client_id", "cell", "label", "expects")
        rows = [dict(zip(keys, one, strict=True), role=role) for one in decisions]
        return self.post("/decisions", decisions=rows)


Serve = Callable[..., Served]


@pytest.fixture
def serve_from(reviewed: Path) -> Callable[..., Served]:
    """Makes a server for the small review in a database."""

    def make(store: Store, **options: Any) -> Served:
        second = options.pop("second", False)
        if options.pop("add", True):
            read = tables.read(reviewed / "cells.parquet", reviewed / "cells")
            import_predictions(store, read, "test", has_second_reader=second)
        given = {"images": reviewed / "cells", "origins": frozenset({ORIGIN})} | options
        return Served(Review.open(store, Settings(**given)))

    return make


@pytest.fixture
def serve(store: Store, serve_from: Callable[..., Served]) -> Serve:
    """The same, in a new database of each kind."""
    return lambda **options: serve_from(store, **options)


@pytest.fixture
def single(serve: Serve) -> Client:
    """The single user's browser."""
    return serve().client()


@pytest.fixture
def frame(reviewed: Path) -> pd.DataFrame:
    return pd.read_parquet(reviewed / "cells.parquet")


@pytest.fixture
def written(tmp_path: Path, reviewed: Path) -> Callable[[pd.DataFrame], Any]:
    """Reads a table of predictions for the same pictures."""

    def make(frame: pd.DataFrame, **options: Any) -> Any:
        path = tmp_path / "other.parquet"
        frame.to_parquet(path, index=False)
        return tables.read(path, reviewed / "cells", **options)

    return make
