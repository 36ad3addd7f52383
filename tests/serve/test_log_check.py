"""What `review check` finds: any change of the record behind the server's back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from buffycoat.serve import log, schema
from buffycoat.serve.database import Store
from buffycoat.serve.log_check import check


def read_one(client: Any) -> dict[str, Any]:
    """One slide, read and signed."""
    client.take(1)
    n = client.cells(1)[0]["n"]
    client.decide(("decision-1", n, "MO", None))
    client.finish(1)
    return client.sign(1)


def without_triggers(store: Store, statement: Any) -> None:
    """What somebody may do who owns the database."""
    with store.writing() as writer:
        if store.is_sqlite:
            for name in ("log_no_update", "log_no_delete", "versions_no_update"):
                writer.execute(text(f"DROP TRIGGER {name}"))
        else:
            for name in ("log", "versions"):
                writer.execute(text(f"DROP TRIGGER {name}_append_only ON {name}"))
        writer.execute(statement)


def body_of(seq: int, body: str) -> Any:
    """Replaces what was hashed of an entry."""
    return update(schema.log).where(schema.log.c.seq == seq).values(body=body)


DAMAGED = (
    '{"kind":"wbc","slide":1,"data":{"wbc":"x"}}',
    '{"kind":"wbc","slide":1,"data":{"wbc":true}}',
    f'{{"kind":"wbc","slide":1,"data":{{"wbc":{"9" * 400}}}}}',
    '{"kind":"wbc","slide":null,"data":{"wbc":7.5}}',
    '{"kind":"wbc","slide":1,"data":[]}',
    '{"kind":"signed","slide":null,"data":{"version":1,"hash":"x"}}',
    '{"kind":"signed","slide":1,"data":{"version":"1","hash":"x"}}',
    '{"kind":"signed","slide":1,"data":{"version":1,"hash":null}}',
    '{"kind":"amended","slide":1,"data":{"version":null}}',
    '{"kind":"decided","cell":"1","person":"eve","data":{"role":"first","label":"MO"}}',
    '{"kind":"decided","cell":1,"person":"eve","data":{"role":null,"label":"MO"}}',
    '{"kind":"decided","cell":1,"person":"eve","data":{"role":"first","label":1}}',
    '{"kind":"decided","cell":1,"person":null,"data":{"role":"first","label":"MO"}}',
    '{"kind":"taken","slide":1,"person":"eve","data":{"role":1}}',
    '{"kind":"finished","slide":"1","person":"eve","data":{"role":"first"}}',
    '{"kind":"imported","data":{"n_cells":"x","cells_sha256":"x"}}',
    f'{{"kind":"imported","data":{{"n_cells":{"9" * 30},"cells_sha256":"x"}}}}',
    '{"kind":"imported","data":{"n_cells":20,"cells_sha256":null}}',
)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (update(schema.log).where(schema.log.c.seq == 3).values(body="{}"), "entry 3"),
        (update(schema.log).where(schema.log.c.seq == 3).values(person="eve"), "column person"),
        (delete(schema.log).where(schema.log.c.seq == 2), "entry 2 is missing"),
        (update(schema.labels).values(label="BL"), "the label is"),
        (delete(schema.labels), "the label is"),
        (
            update(schema.log).values(body='{"kind":"decided"}'),
            "entry 1: its body is not one of an",
        ),
        (update(schema.log).values(body='{"kind":"wbc","data":1}'), "entry 1: its body is not one"),
        (update(schema.log).values(body="[]"), "entry 1: its body is no JSON object"),
        *(
            (body_of(3, body), "entry 3: its body is not one of an entry of kind")
            for body in DAMAGED
        ),
        (body_of(3, f'{{"seq":{"9" * 5000}}}'), "entry 3: its body is no JSON object"),
        (body_of(3, "[" * 100_000), "entry 3: its body is no JSON object"),
        (update(schema.versions).values(body="{}"), "is not what was signed"),
        (update(schema.versions).values(body='{"wbc":'), "is not what was signed"),
        (update(schema.slides).values(wbc=99.0), "its WBC is 99, by the log not known"),
        (update(schema.slides).values(is_open=True), "open again after version 1, by the log sig"),
        (update(schema.readings).values(reader="eve"), "it is eve's, finished, by the log "),
        (delete(schema.readings), "it is nobody's, by the log "),
        (update(schema.cells).values(predicted="BL"), "import 1: its 20 cells are not what was"),
    ],
)
def test_a_change_of_the_record_is_found(
    single: Any, store: Store, statement: Any, words: str
) -> None:
    read_one(single)
    without_triggers(store, statement)
    with store.reading() as reader:
        found = check(reader)
    assert any(words in fault for fault in found.faults), found.faults


@pytest.mark.parametrize("body", ["[]", "{", '{"wbc":"7.5"}'])
def test_a_version_that_was_forged_with_its_checksum_does_not_end_the_check(
    single: Any, store: Store, body: str
) -> None:
    read_one(single)
    checksum = hashlib.sha256(body.encode()).hexdigest()
    without_triggers(store, update(schema.versions).values(body=body, hash=checksum))
    with store.writing() as writer:
        is_it = schema.log.c.kind == log.SIGNED
        row = writer.execute(schema.log.select().where(is_it)).one()
        entry = json.loads(row.body)
        entry["data"]["hash"] = checksum
        writer.execute(update(schema.log).where(is_it).values(body=log.canonical(entry)))
    with store.reading() as reader:
        faults = check(reader).faults
    assert f"entry {row.seq}: its hash does not follow from it and the entry before" in faults
    assert "slide 1, version 1: is no signed differential" in faults


def test_white_cells_that_only_a_signed_version_has_are_not_said_to_be_of_the_log(
    single: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_before_version_3(
        writer: Any, person: object, slide: int, wbc: float, client_id: str | None = None
    ) -> None:
        writer.execute(update(schema.slides).where(schema.slides.c.id == slide).values(wbc=wbc))

    monkeypatch.setattr("buffycoat.serve.signatures._keep_wbc", as_before_version_3)
    single.take(1)
    single.finish(1)
    single.sign(1, wbc=7.5)
    assert single.get("/log/check")["is_whole"]
    with store.writing() as writer:
        writer.execute(update(schema.slides).values(wbc=None))
    faults = single.get("/log/check")["faults"]
    assert faults == ["slide 1: its WBC is not known, by its last signed version 7.5"]


def test_a_shortened_log_has_another_head(single: Any, store: Store) -> None:
    single.take(1)
    before = single.get("/log/check")
    without_triggers(store, delete(schema.log).where(schema.log.c.seq == before["n"]))
    assert not single.get("/log/check")["is_whole"]
    with store.writing() as writer:
        writer.execute(delete(schema.readings))  # what the entry said is gone too
    after = single.get("/log/check")
    assert after["is_whole"]
    assert after["head"] != before["head"]
