"""The web application: the page, and the interface that it and programs use."""

from __future__ import annotations

import logging
from importlib import resources
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from buffycoat import __version__
from buffycoat.errors import ConfigError, ManifestError, MissingExtraError
from buffycoat.serve import health
from buffycoat.serve.database import is_disk_full, reason_of
from buffycoat.serve.gate import Gate, answer
from buffycoat.serve.refused import RefusedError
from buffycoat.serve.review import Review, signed_in
from buffycoat.serve.routes import admin, cells, exports, session, signing, slides
from buffycoat.serve.routes.forms import OWN_WORDS

API = "/api/v1"
RETRY_S = "2"
_LOGGER = logging.getLogger(__name__)
_ERROR = {"description": "`{error: {code, message}}`"}
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: _ERROR for status in (400, 401, 403, 404, 409, 413, 422, 429, 501, 503, 507)
}


def make_app(review: Review) -> Gate:
    """The application for one review.

    Everything under `API` but `/session` and `/login` needs a login, by where it is added here.
    """
    app = FastAPI(
        title="buffycoat review",
        version=__version__,
        docs_url=None,  # it would load its scripts from another server
        redoc_url=None,
        openapi_url=None,
        description="Not a medical device.",
    )
    app.state.review = review
    app.include_router(session.router, prefix=API, responses=_ERRORS)
    closed = APIRouter(prefix=API, dependencies=[Depends(signed_in)], responses=_ERRORS)
    for part in (session.closed, slides.router, cells.router, signing.router, exports.router):
        closed.include_router(part)
    closed.include_router(admin.router)
    closed.add_api_route("/openapi.json", lambda: JSONResponse(app.openapi()), methods=["GET"])
    app.include_router(closed)
    app.add_api_route(health.PATH, lambda: _healthy(review), include_in_schema=False)
    _add_handlers(app)
    page = resources.files("buffycoat.serve").joinpath("page")
    app.mount("/", _Page(directory=str(page), html=True, check_dir=False))
    app.openapi()  # FastAPI builds routes when they are first asked for; two threads would race
    return Gate(app, review.settings)


def _healthy(review: Review) -> dict[str, str]:
    """That the server runs and its database answers; tells nothing else, and needs no login."""
    with review.store.reading() as reader:
        reader.execute(select(1))
    return {"status": "ok"}


class _Page(StaticFiles):
    """The page's own files, asked for again each time: they change with the program."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _add_handlers(app: FastAPI) -> None:
    """Every error as `{error: {code, message}}`."""

    @app.exception_handler(RefusedError)
    def refused(_: Request, error: RefusedError) -> Response:
        return answer(error.status, error.code, error.message, error.headers)

    @app.exception_handler(ConfigError)
    def wrong(_: Request, error: ConfigError) -> Response:
        return answer(422, "invalid", str(error))

    @app.exception_handler(ManifestError)  # a slide's name that no report can carry
    def odd(_: Request, error: ManifestError) -> Response:
        return answer(422, "invalid", str(error))

    @app.exception_handler(MissingExtraError)
    def missing(_: Request, error: MissingExtraError) -> Response:
        return answer(501, "not_installed", str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> Response:
        faults = [_fault(one) for one in error.errors()]
        return answer(422, "invalid", "; ".join(faults[:5]))

    @app.exception_handler(HTTPException)
    def http(_: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method"}.get(error.status_code, "http")
        return answer(error.status_code, code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    def database(request: Request, error: DBAPIError) -> Response:
        _note(request, f"{type(error.orig).__name__}: {reason_of(error)}")
        if is_disk_full(error):
            return answer(
                507, "disk_full", "the database has no room left; nothing of this was stored"
            )
        return _unavailable()

    @app.exception_handler(PoolTimeoutError)
    def busy(request: Request, error: PoolTimeoutError) -> Response:
        _note(request, "no connection to the database was free")
        return _unavailable()


def _fault(found: dict[str, Any]) -> str:
    """One fault of a request; those with words of our own say all themselves."""
    if found["type"] in OWN_WORDS:
        return found["msg"]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"


def _note(request: Request, why: str) -> None:
    """Say on the server's console why a request failed; its path as a template, without names."""
    route = request.scope.get("route")
    path = getattr(route, "path", "a request")
    _LOGGER.warning("%s %s: the database failed: %s", request.method, path, why)


def _unavailable() -> Response:
    return answer(
        503,
        "unavailable",
        "the database does not answer; send the same again, it is stored once",
        {"Retry-After": RETRY_S},
    )
