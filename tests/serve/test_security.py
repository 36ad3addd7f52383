"""Who may do what: nothing without a login off loopback, and nothing from a stranger's page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import update

from buffycoat.errors import ConfigError
from buffycoat.serve import schema, users
from buffycoat.serve.app import make_app
from buffycoat.serve.attempts import AT_ONCE, FAILURES, Attempts
from buffycoat.serve.database import Store
from buffycoat.serve.migrate import migrate
from buffycoat.serve.review import Review
from buffycoat.serve.settings import SECRET, make_settings

Serve = Callable[..., Any]
PUBLIC = {
    "host": "192.0.2.1",
    "origins": frozenset({"https://review.example.org"}),
    "secret": "s" * 32,
    "is_behind_proxy": True,
}
OPEN = {("GET", "/api/v1/session"), ("POST", "/api/v1/login"), ("GET", "/healthz")}
PASSWORD = "four plain words here"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: none of this differs with the database."""
    return f"sqlite:///{tmp_path / 'review.sqlite'}"


def endpoints(app: Any) -> list[tuple[str, str]]:
    """Method and path of every endpoint, as the router has them: also what no schema lists."""
    found = list(iter_route_contexts(app.app.routes))
    return sorted({(m, one.path) for one in found if one.methods for m in one.methods})


def filled(path: str) -> str:
    values = {"slide": "1", "n": "1", "role": "first", "format": "csv", "name": "anna"}
    values["token"] = "0" * 12
    return path.format(**values)


def test_every_endpoint_needs_a_login_off_loopback(serve: Serve) -> None:
    served = serve(**PUBLIC)
    client = served.client()
    found = endpoints(make_app(served.review))
    assert len(found) >= 33
    for method, path in found:
        answer = client.http.request(method, filled(path))
        if (method, path) in OPEN:
            assert answer.status_code in (200, 422), path
        else:
            assert answer.status_code == 401, (method, path, answer.text)
            assert answer.json()["error"]["code"] == "login"
    shown = client.get("/session")
    assert not {"project", "taxonomy"} & shown.keys()


def test_every_change_needs_the_pages_token(serve: Serve) -> None:
    served = serve()
    served.add("anna", "reader", "signer", "admin")
    client = served.client("anna")
    changing = [(m, p) for m, p in endpoints(make_app(served.review)) if m != "GET"]
    assert len(changing) >= 12
    for method, path in changing:
        if (method, path) not in OPEN:
            answer = client.http.request(method, filled(path), headers={"X-CSRF-Token": "x"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf"), path


def test_the_single_user_needs_the_token_too(single: Any) -> None:
    answer = single.http.post("/api/v1/slides/1/readings", json={"role": "first"})
    assert answer.json()["error"]["code"] == "csrf"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", "127.0.0.1.evil.example:8642"])
def test_another_host_is_refused_on_loopback_too(single: Any, host: str) -> None:
    answer = single.raw("/session", headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "host")


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"},
                {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)  # fmt: skip
def test_a_strangers_page_changes_nothing(single: Any, headers: dict[str, str]) -> None:
    sent = {"X-CSRF-Token": single.csrf} | headers
    answer = single.http.post("/api/v1/slides/1/readings", json={"role": "first"}, headers=sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin")
    assert single.get("/slides/1")["readings"] == []


def test_every_answer_has_the_usual_headers(single: Any) -> None:
    for path in ("/session", "/slides/99", "/cells/1/image"):
        headers = single.raw(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
    assert single.raw("/slides").headers["cache-control"] == "no-store"


def test_a_body_that_is_too_large_is_refused(single: Any) -> None:
    assert single.http.post("/api/v1/login", content=b"x" * 1_000_001).status_code == 413

    def parts() -> Iterator[bytes]:
        yield from [b'{"name": "' + b"x" * 100_000] * 12

    answer = single.http.post("/api/v1/login", content=parts())
    assert answer.status_code in (400, 413, 422)


def test_sessions_end_and_tokens_work_without_the_pages_token(serve: Serve) -> None:
    served = serve(**PUBLIC)
    served.add("anna", "reader", "admin")
    client = served.client()
    answer = client.http.post("/api/v1/login", json={"name": "anna", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "secure", "samesite=strict"))
    client.refresh()
    token = client.post("/users/anna/tokens", purpose="export")["token"]
    with served.store.writing() as writer:
        writer.execute(update(schema.sessions).values(expires_at=time.time() - 1))
    assert client.get("/slides", 401)["error"]["code"] == "login"

    program = served.client()
    sent = {"Authorization": f"Bearer {token}"}
    answer = program.http.post("/api/v1/slides/1/readings", json={"role": "first"}, headers=sent)
    assert answer.json()["my_role"] == "first"
    wrong = {"Authorization": f"Bearer {token}x"}
    assert program.http.get("/api/v1/slides", headers=wrong).status_code == 401
    gone = program.http.delete("/api/v1/users/anna/tokens", headers=sent)
    assert gone.json()["n_removed"] == 1
    assert program.http.get("/api/v1/slides", headers=sent).status_code == 401


def test_two_reviews_on_one_host_do_not_end_each_others_sessions(
    serve_from: Serve, tmp_path: Path
) -> None:
    def begun(name: str) -> Any:
        store = Store(f"sqlite:///{tmp_path / name}")
        migrate(store)
        return serve_from(store)

    one, two = begun("one.sqlite"), begun("two.sqlite")
    for served in (one, two):
        served.add("anna", "reader")
    first, second = one.client("anna"), two.client()
    second.http.cookies = first.http.cookies  # a browser sends cookies to every port of a host
    second.post("/login", name="anna", password=PASSWORD)
    assert first.get("/session")["user"]["name"] == "anna"
    assert second.get("/session")["user"]["name"] == "anna"
    again = Review.open(one.store, one.review.settings)
    assert again.cookie_name == one.review.cookie_name, "also after a restart"
    for served in (one, two):
        served.store.close()


def test_a_locked_account_is_out_at_once(serve: Serve) -> None:
    served = serve()
    served.add("anna", "admin")
    served.add("bela", "reader")
    anna, bela = served.client("anna"), served.client("bela")
    assert anna.post("/users/anna/disable", 409)["error"]["code"] == "own_account"
    assert bela.post("/users/anna/disable", 403)["error"]["code"] == "role"
    anna.post("/users/bela/disable")
    assert bela.get("/slides", 401)
    assert bela.post("/login", 401, name="bela", password=PASSWORD)


def test_wrong_passwords_are_limited(serve: Serve) -> None:
    served = serve()
    served.add("anna", "reader")
    served.review.attempts = Attempts(lambda: 0.0)
    client = served.client()
    unknown = client.post("/login", 401, name="nobody", password=PASSWORD)
    assert client.post("/login", 401, name="anna", password="wrong") == unknown
    for _ in range(3):
        client.post("/login", 401, name="anna", password="wrong")
    answer = client.http.post("/api/v1/login", json={"name": "anna", "password": PASSWORD})
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_passwords_that_are_sent_at_once_are_limited_too(serve: Serve) -> None:
    served = serve()
    served.add("anna")
    clients = [served.client() for _ in range(20)]

    def attempt(client: Any) -> int:
        form = {"name": "anna", "password": "not the right words"}
        return client.http.post("/api/v1/login", json=form).status_code

    with ThreadPoolExecutor(len(clients)) as pool:
        codes = [*pool.map(attempt, clients)]
    assert set(codes) == {401, 429}
    assert codes.count(401) < FAILURES + AT_ONCE


def test_passwords_are_argon2_and_stay_out_of_the_log(serve: Serve) -> None:
    served = serve()
    served.add("anna", "admin")
    client = served.client("anna")
    client.post("/users", name="bela", password="another four words", roles=["reader"])
    entries = str(client.get("/log"))
    assert "four" not in entries
    with served.store.reading() as reader:
        for user in reader.execute(schema.users.select()):
            assert user.password.startswith("$argon2id$")
        session = reader.execute(schema.sessions.select()).first()
    assert client.http.cookies[served.review.cookie_name] not in str(session)


def test_the_first_account_must_be_an_admins(single: Any) -> None:
    code = single.post("/users", 422, name="bela", password=PASSWORD, roles=["reader"])["error"]
    assert code["code"] == "first_user"
    single.post("/users", name="anna", password=PASSWORD, roles=["admin"])
    assert single.get("/slides", 401)


@pytest.mark.parametrize("path", ["../secret.png", "link.png", "linked/secret.png", "/etc/passwd"])
def test_no_picture_outside_the_folder(
    serve: Serve, reviewed: Path, path: str, request: pytest.FixtureRequest
) -> None:
    secret = reviewed / "secret.png"
    secret.write_bytes((reviewed / "cells" / "LY-1.png").read_bytes())
    for name, target in (("link.png", secret), ("linked", reviewed)):
        link = reviewed / "cells" / name
        link.symlink_to(target)
        request.addfinalizer(link.unlink)
    served = serve()
    with served.store.writing() as writer:
        writer.execute(update(schema.cells).where(schema.cells.c.id == 1).values(path=path))
    client = served.client()
    answer = client.raw("/cells/1/image")
    assert (answer.status_code, answer.headers["x-buffycoat-missing"]) == (200, "1")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert client.get("/cells/1/outline", 404)["error"]["code"] == "no_picture"
    assert next(c for c in client.get("/slides/1/cells")["cells"] if c["n"] == 1)["is_missing"]


@pytest.mark.parametrize(
    "path", ["/../app.py", "/..%2fapp.py", "/%2e%2e/schema.py", "//etc/passwd"]
)
def test_no_file_outside_the_pages_folder(single: Any, path: str) -> None:
    answer = single.http.get(path)
    assert answer.status_code in (400, 404)


def test_a_server_for_others_demands_tls_users_and_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    with pytest.raises(ConfigError) as error:
        make_settings(tmp_path, host="0.0.0.0")
    for missing in ("--certfile", "users add", SECRET, "--name"):
        assert missing in str(error.value)
    monkeypatch.setenv(SECRET, "s" * 31)
    with pytest.raises(ConfigError, match=SECRET):
        make_settings(tmp_path, behind_proxy="https://review.example.org", has_users=True)
    monkeypatch.setenv(SECRET, "s" * 32)
    made = make_settings(tmp_path, behind_proxy="https://Review.example.org", has_users=True)
    assert made.hosts == {"review.example.org"}
    with pytest.raises(ConfigError, match="https://"):
        make_settings(tmp_path, behind_proxy="http://review.example.org", has_users=True)
    monkeypatch.delenv(SECRET)
    with pytest.raises(ConfigError, match=r"others can reach --name review\.example\.org"):
        make_settings(tmp_path, name="review.example.org")  # through a proxy that is not stated
    assert not make_settings(tmp_path, name="localhost").is_public
    local = make_settings(tmp_path)
    assert local.hosts == {"127.0.0.1:8642", "localhost:8642", "[::1]:8642"}


def test_short_passwords_and_odd_names_are_refused(serve: Serve) -> None:
    served = serve()
    with served.store.writing() as writer:
        with pytest.raises(ConfigError, match="12"):
            users.add_user(writer, "test", "anna", "short", ["admin"])
        with pytest.raises(ConfigError, match="expected 1 to 64"):
            users.add_user(writer, "test", "../anna", PASSWORD, ["reader"])
