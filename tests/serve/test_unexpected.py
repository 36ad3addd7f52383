"""Requests that nobody expects: an answer in words, never a failure of the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis.strategies import one_of  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402

EXAMPLES = 8
"""Requests for each endpoint that fit the schema, and as many that do not."""


@pytest.mark.slow
def test_no_request_makes_the_server_fail(serve: Callable[..., Any]) -> None:
    served = serve()
    client = served.client()
    schema = schemathesis.openapi.from_dict(client.raw("/openapi.json").json())
    n, seen = 0, list[int]()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path.endswith(("/users", "/logout")) and operation.method == "post":
            continue  # an account would end the single user's time

        modes = [
            operation.as_strategy(generation_mode=mode)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        ]

        @settings(
            max_examples=2 * EXAMPLES, deadline=None, database=None, derandomize=True,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=one_of(modes))
        def send(case: Any) -> None:
            answer = _sent(client, case)
            seen.append(answer.status_code)
            assert answer.status_code < 500, (case.as_curl_command(), answer.text)
            if answer.status_code >= 400:
                assert {"code", "message"} == answer.json()["error"].keys()

        send()
        n += 1
    assert n >= 25
    assert {200, 404, 422} <= {*seen}
    assert client.get("/log/check")["is_whole"]


def _sent(client: Any, case: Any) -> Any:
    for name, value in (case.path_parameters or {}).items():
        if isinstance(value, int) and value % 2:  # half of them name something that there is
            case.path_parameters[name] = value % 20 + 1
    values = case.as_transport_kwargs(base_url=str(client.http.base_url))
    headers = dict(values.get("headers") or {}) | {"X-CSRF-Token": client.csrf}
    return client.http.request(
        values["method"],
        values["url"],
        headers=headers,
        params=values.get("params"),
        json=values.get("json"),
        content=values.get("data") if isinstance(values.get("data"), str | bytes) else None,
    )
