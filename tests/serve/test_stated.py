"""Without accounts: who reads states a name, and log and reports say that it is stated."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from buffycoat.errors import ConfigError
from buffycoat.serve.log_check import check
from buffycoat.serve.review import local_name
from buffycoat.serve.settings import make_settings

Serve = Callable[..., Any]
NAME = "Žofie Nováková"


def named(served: Any, name: str) -> Any:
    """A window whose reader stated a name."""
    client = served.client()
    client.http.headers["X-Reader"] = quote(name)
    return client


def row_of(client: Any) -> dict[str, str]:
    text = client.raw("/slides/1/export/csv").text
    return next(csv.DictReader(io.StringIO(text, newline="")))


def test_a_stated_name_is_called_so_in_log_and_report(serve: Serve) -> None:
    served = serve()
    client = named(served, NAME)
    session = client.get("/session")
    assert session["user"] | {"roles": []} == {"name": NAME, "roles": [], "identity": "stated"}
    assert not session["is_reader_given"]
    client.take(1)
    client.decide(("decision-1", client.cells(1)[0]["n"], "MO", None))
    client.finish(1)
    assert client.sign(1)["identity"] == "stated"
    entries = client.get("/log", person=NAME)["entries"]
    assert [entry["kind"] for entry in entries] == ["taken", "decided", "finished", "signed"]
    assert {entry["identity"] for entry in entries} == {"stated"}
    row = row_of(client)
    assert (row["signer"], row["first_reader"], row["without_login"]) == (NAME, NAME, NAME)
    assert row["remarks"].count(f"{NAME} (a stated name, not a login)") == 2
    with served.store.reading() as reader:
        assert check(reader).is_whole


def test_a_window_without_a_name_works_as_the_computers_user(serve: Serve) -> None:
    client = serve().client()
    assert client.get("/session")["user"]["identity"] == "machine"
    client.take(1)
    client.finish(1)
    client.sign(1)
    assert f"Signed: {local_name()} (the computer's user, not a login)" in row_of(client)["remarks"]


@pytest.mark.parametrize("name", ["%00", "%20", "a" * 65])
def test_what_is_no_name_is_refused(serve: Serve, name: str) -> None:
    client = serve(add=True).client()
    answer = client.raw("/session", headers={"X-Reader": name})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "name")


def test_another_stated_name_takes_an_open_reading_over(serve: Serve) -> None:
    served = serve()
    first, other = named(served, "Anna"), named(served, "Ben")
    first.take(1)
    n = first.cells(1)[0]["n"]
    (done,) = first.decide(("decision-1", n, "MO", None))["accepted"]
    assert other.take(1)["my_role"] == "first"
    assert other.decide(("decision-2", n, "LY", done["seq"]))["accepted"]
    refused = first.decide(("decision-3", n, "BL", None))["refused"]
    assert refused[0]["code"] == "not_your_reading"
    taken = [e for e in other.get("/log")["entries"] if e["kind"] == "taken"]
    assert taken[-1]["data"] == {"role": "first", "reader": "Anna"}
    other.finish(1)
    first.sign(1)
    assert row_of(first)["first_reader"] == "Ben"
    row = first.post("/slides/1/amend", client_id="amendment-1", reason="mistaken")
    assert (row["my_role"], row["readings"][0]["finished"]) == ("first", False)


def test_a_blind_reading_is_not_taken_over(serve: Serve) -> None:
    served = serve(second=True)
    first, other = named(served, "Anna"), named(served, "Ben")
    first.take(1)
    assert other.take(1, status=409)["error"]["code"] == "taken"
    other.get("/slides/1/cells", 403, role="first")
    assert other.take(1, "second")["my_role"] == "second"


def test_the_servers_own_name_goes_before_a_windows(serve: Serve) -> None:
    served = serve(reader="Rita")
    session = named(served, "Anna").get("/session")
    assert (session["user"]["name"], session["is_reader_given"]) == ("Rita", True)


def test_accounts_end_stated_names(serve: Serve) -> None:
    served = serve()
    served.add("ada", "admin", "reader")
    named(served, "ada").get("/slides", 401)
    client = served.client("ada")
    client.http.headers["X-Reader"] = "Eve"
    assert client.get("/session")["user"]["name"] == "ada"
    client.take(1)
    entry = client.get("/log", kind="taken")["entries"][0]
    assert (entry["person"], entry["identity"]) == ("ada", "account")


def test_the_option_is_checked(tmp_path: Any) -> None:
    assert make_settings(tmp_path, reader=" Rita ").reader == "Rita"
    with pytest.raises(ConfigError, match="there are accounts"):
        make_settings(tmp_path, reader="Rita", has_users=True)
    with pytest.raises(ConfigError, match="up to 64 characters"):
        make_settings(tmp_path, reader="  ")
