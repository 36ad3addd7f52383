"""The real command for other machines: TLS, a login, and nothing of a patient in what it prints."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from buffycoat.serve import users
from buffycoat.serve.database import Store
from buffycoat.serve.migrate import migrate
from buffycoat.serve.settings import SECRET

PASSWORD = "four plain words here"
WITHIN_S = 60
RUN = "import sys; from buffycoat.cli.main import app; sys.argv[0] = 'buffycoat'; app()"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """For the name localhost, signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the program openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([openssl, *words], check=True, capture_output=True, timeout=60)
    return cert, key


@pytest.fixture
def served(
    reviewed: Path, tmp_path: Path, certificate: tuple[Path, Path]
) -> Iterator[tuple[httpx.Client, Path]]:
    """A client of a server that listens on every address, and what the server prints."""
    url = f"sqlite:///{tmp_path / 'review.sqlite'}"
    store = Store(url)
    migrate(store)
    with store.writing() as writer:
        users.add_user(writer, "test", "anna", PASSWORD, ["admin", "reader"])
    store.close()
    cert, key = certificate
    words = ["review", str(reviewed / "cells.parquet"), "--images", str(reviewed / "cells")]
    words += ["--database", url, "--host", "0.0.0.0", "--name", "localhost", "--port", "0"]
    words += ["--certfile", str(cert), "--keyfile", str(key), "--no-browser"]
    printed = tmp_path / "printed.txt"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, *words], stdout=out, stderr=out,
            env=os.environ | {SECRET: "s" * 40},
        )  # fmt: skip
    try:
        base = _address(process, printed)
        context = ssl.create_default_context(cafile=str(cert))
        with httpx.Client(base_url=base, verify=context, timeout=10) as client:
            yield client, printed
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _address(process: Any, printed: Path) -> str:
    """Where the server says that it is, by the name in its certificate."""
    end = time.monotonic() + WITHIN_S
    while "Review: " not in printed.read_text():
        assert process.poll() is None, printed.read_text()
        assert time.monotonic() < end, printed.read_text()
        time.sleep(0.1)
    port = urlsplit(printed.read_text().partition("Review: ")[2].split()[0]).port
    return f"https://localhost:{port}/"


@pytest.mark.slow
def test_a_server_for_others_speaks_tls_and_prints_no_patient(
    served: tuple[httpx.Client, Path],
) -> None:
    client, printed = served
    page = client.get("/")
    assert "max-age" in page.headers["strict-transport-security"]
    assert client.get("/api/v1/slides").status_code == 401
    given = {"name": "anna", "password": PASSWORD}
    answer = client.post("/api/v1/login", json=given)
    assert "secure" in answer.headers["set-cookie"].lower()
    sent = {"X-CSRF-Token": answer.json()["csrf"]}
    rows = client.get("/api/v1/slides").json()["slides"]
    assert rows[0]["patient"] == "patient of smear 1"
    taken = client.post("/api/v1/slides/1/readings", json={"role": "first"}, headers=sent)
    assert taken.status_code == 200
    client.get("/api/v1/slides/77")
    client.post("/api/v1/decisions", content=b"{", headers=sent)
    plain = httpx.Client(base_url=str(client.base_url).replace("https", "http"), timeout=5)
    with plain, pytest.raises(httpx.HTTPError):
        plain.get("/api/v1/session")
    said = printed.read_text()
    assert not any(word in said for word in ("smear", "patient", "LY-1", PASSWORD, "four"))
