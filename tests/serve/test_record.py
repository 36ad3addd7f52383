"""The record: nothing is overwritten, and what was changed behind the server's back shows."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, delete, text, update
from sqlalchemy.exc import DBAPIError, OperationalError

from buffycoat.errors import ConfigError
from buffycoat.serve import schema
from buffycoat.serve.database import Store, is_disk_full
from buffycoat.serve.log_check import check
from buffycoat.serve.migrate import migrate

Serve = Callable[..., Any]


@pytest.mark.parametrize("table", ["log", "versions"])
def test_the_database_refuses_to_change_the_record(single: Any, store: Store, table: str) -> None:
    single.take(1)
    single.finish(1)
    single.sign(1)
    target = schema.METADATA.tables[table]
    for statement in (update(target).values(body="{}"), delete(target)):
        with pytest.raises(DBAPIError, match="append-only"), store.writing() as writer:
            writer.execute(statement)
    assert single.get("/log/check")["is_whole"]


def test_a_check_beside_writers_sees_one_state(single: Any, store: Store) -> None:
    single.take(1)
    cells = single.cells(1)
    single.decide(("decision-before", cells[0]["n"], "MO", None))
    with store.reading() as reader:
        n = check(reader).n
        single.decide(("decision-beside", cells[1]["n"], "EO", None))
        again = check(reader)
        assert (again.n, again.faults) == (n, ())
    with store.reading() as reader:
        assert check(reader).n == n + 1


def test_reading_changes_nothing(single: Any, store: Store) -> None:
    if store.is_sqlite:
        pytest.skip("SQLite has no transactions that may only read")
    with pytest.raises(DBAPIError, match="read-only"), store.reading() as reader:
        reader.execute(update(schema.slides).values(wbc=1.0))


def test_decisions_of_the_same_second_are_in_one_order(serve: Serve) -> None:
    served = serve()
    client = served.client()
    client.take(1)
    n = client.cells(1)[0]["n"]
    start = threading.Barrier(8)

    def decide(number: int) -> dict[str, Any]:
        start.wait()
        return client.decide((f"decision-{number}", n, "MO", None))

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(decide, range(8)))
    assert sum(len(o["accepted"]) for o in outcomes) == 1
    assert sum(len(o["conflicts"]) for o in outcomes) == 7
    assert client.get("/log/check")["is_whole"]


def test_two_readers_decide_the_same_cell_at_once(serve: Serve) -> None:
    served = serve(second=True)
    clients = {}
    for name, role in (("anna", "first"), ("bela", "second")):
        served.add(name, "reader")
        clients[role] = served.client(name)
    n = clients["first"].get("/slides/1/cells")["cells"][0]["n"]
    for role, client in clients.items():
        client.take(1, role)
    start = threading.Barrier(2)

    def decide(role: str) -> dict[str, Any]:
        start.wait()
        return clients[role].decide((f"decision-{role}", n, "MO", None), role=role)

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(decide, clients))
    assert [len(outcome["accepted"]) for outcome in outcomes] == [1, 1]
    for role, client in clients.items():
        found = next(cell for cell in client.cells(1, role) if cell["n"] == n)
        assert found["label"] == "MO"
    with served.store.reading() as reader:
        assert check(reader).is_whole


def test_the_same_decision_sent_eight_times_at_once_is_stored_once(serve: Serve) -> None:
    client = serve().client()
    client.take(1)
    n = client.cells(1)[0]["n"]
    with ThreadPoolExecutor(8) as pool:
        sent = pool.map(lambda _: client.decide(("decision-1", n, "MO", None)), range(8))
    assert len({str(one) for one in sent}) == 1
    assert client.get("/log/check")["n"] == 3


def test_a_reading_is_taken_once(serve: Serve) -> None:
    served = serve()
    for name in ("anna", "bela"):
        served.add(name, "reader")
    clients = [served.client(name) for name in ("anna", "bela")]
    with ThreadPoolExecutor(2) as pool:
        done = list(
            pool.map(
                lambda c: c.http.post(
                    "/api/v1/slides/1/readings", json={"role": "first"},
                    headers={"X-CSRF-Token": c.csrf},
                ).status_code,
                clients,
            )
        )  # fmt: skip
    assert sorted(done) == [200, 409]


def test_migrations_give_the_tables_that_the_program_uses(store: Store) -> None:
    with store.reading() as reader:
        context = MigrationContext.configure(reader)
        assert compare_metadata(context, schema.METADATA) == []


def _take_back(store: Store) -> None:
    """Make it one of the first version, with its data."""
    commands = ["ALTER TABLE slides DROP COLUMN wbc"]
    commands += ["ALTER TABLE tokens DROP COLUMN last_used_at"]
    for table in ("log", "versions"):
        if store.is_sqlite:
            commands += [f"DROP TRIGGER {table}_no_{verb}" for verb in ("update", "delete")]
        else:
            commands.append(f"DROP TRIGGER {table}_append_only ON {table}")
    if not store.is_sqlite:
        commands.append("DROP FUNCTION buffycoat_append_only")
    with store.writing() as writer:
        for command in [*commands, "UPDATE alembic_version SET version_num = '0001'"]:
            writer.execute(text(command))


def test_a_database_of_the_version_before_is_migrated(url: str, serve_from: Serve) -> None:
    old = Store(url)
    migrate(old)
    client = serve_from(old).client()
    client.take(1)
    n = client.cells(1)[0]["n"]
    client.decide(("decision-1", n, "MO", None))
    before = client.get("/log/check")
    client.finish(1)
    client.sign(1, wbc=7.5)
    _take_back(old)
    old.close()

    store = Store(url)
    copy = migrate(store)
    again = serve_from(store).client()
    assert again.get("/log/check")["n"] == before["n"] + 3
    assert again.get("/log/check")["is_whole"]
    assert again.cells(1)[0]["label"] == "MO"
    assert [again.get(f"/slides/{slide}")["wbc"] for slide in (1, 2)] == [7.5, None]
    with pytest.raises(DBAPIError, match="append-only"), store.writing() as writer:
        writer.execute(delete(schema.log))
    if store.is_sqlite:
        assert copy is not None
        kept = sqlite3.connect(copy)
        assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert kept.execute("SELECT count(*) FROM labels").fetchone() == (1,)
        kept.close()
    assert migrate(store) is None
    store.close()


def test_a_newer_database_and_another_programs_are_refused(store: Store, tmp_path: Path) -> None:
    with store.writing() as writer:
        writer.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="version 9999"):
        migrate(store)
    other = tmp_path / "other.sqlite"
    engine = create_engine(f"sqlite:///{other}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE mine (id INTEGER)"))
    engine.dispose()
    foreign = Store(f"sqlite:///{other}")
    with pytest.raises(ConfigError, match="another program"):
        migrate(foreign)
    foreign.close()


@pytest.mark.parametrize("bad", ["mysql://x/y", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="--database"):
        Store(bad)


@pytest.mark.parametrize(("state", "is_full"), [("53100", True), ("57P01", False)])
def test_postgresql_has_its_own_word_for_a_full_disk(state: str, is_full: bool) -> None:
    class OriginalError(Exception):
        sqlstate = state

    assert is_disk_full(OperationalError("INSERT", {}, OriginalError())) is is_full


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path, serve: Serve) -> None:
    served = serve()
    store = served.store
    if not store.is_sqlite:
        pytest.skip("SQLite can be given a limit of pages; PostgreSQL's error is mapped alike")
    client = served.client()
    client.take(1)
    numbers = [cell["n"] for cell in client.cells(1)]
    store.close()  # so that every connection opened from here on has the limit
    from sqlalchemy import event

    def limit(connection: Any, _: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    event.listen(store.engine, "connect", limit)
    accepted, full = [], None
    for place in range(2000):
        n = numbers[place % len(numbers)]
        seq = next((c["seq"] for c in client.cells(1) if c["n"] == n), None)
        body = {"client_id": f"decision-{place}", "cell": n, "role": "first", "label": "MO"}
        answer = client.http.post(
            "/api/v1/decisions",
            json={"decisions": [body | {"expects": seq}]},
            headers={"X-CSRF-Token": client.csrf},
        )
        if answer.status_code != 200:
            full = answer
            break
        accepted.append(answer.json()["accepted"][0]["seq"])
    assert full is not None
    assert (full.status_code, full.json()["error"]["code"]) == (507, "disk_full")
    found = client.get("/log/check")
    assert found["is_whole"]
    assert found["n"] == accepted[-1]
