"""One review as it is served: the database, what is kept in memory, and who asks."""

from __future__ import annotations

import getpass
import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import unquote

import numpy as np
from starlette.requests import Request

from buffycoat.serve import tokens, users
from buffycoat.serve.attempts import Attempts
from buffycoat.serve.catalogue import Catalogue
from buffycoat.serve.database import Store
from buffycoat.serve.gate import SAFE
from buffycoat.serve.people import ROLES, Person
from buffycoat.serve.pictures import Pictures
from buffycoat.serve.project import Project, open_project
from buffycoat.serve.refused import RefusedError
from buffycoat.serve.settings import MOST_NAME, Settings, stated_name
from buffycoat.serve.surroundings import Surroundings
from buffycoat.serve.users import User
from buffycoat.serve.worklist import Worklist

CSRF_HEADER = "X-CSRF-Token"
READER_HEADER = "X-Reader"
"""Who reads, without accounts: each window of the page states its own, so that another name in
another window changes nothing here."""
_SINGLE = "the single user"


@dataclass
class Review:
    """What every request needs.

    Attributes:
        store: The database.
        settings: How the server is reached.
        project: What is reviewed.
        confusion: Shape (k, k), the model's calls on labelled cells; None gives no adjusted
            figures.
    """

    store: Store
    settings: Settings
    project: Project
    confusion: np.ndarray | None = None
    attempts: Attempts = field(default_factory=Attempts)

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(self.project.taxonomy)
        self.worklist = Worklist(self.catalogue)
        self.pictures = Pictures(self.settings.images)
        self.surroundings = Surroundings(self.pictures, self.settings.fields)
        # A browser sends a cookie to every port of a host: each review has a name of its own.
        about = f"{self.project.name} {self.project.made_at}"
        self.cookie_name = f"buffycoat_review_{hashlib.sha256(about.encode()).hexdigest()[:12]}"
        # Others reach a public server, and its settings were refused without a secret.
        self.secret = self.settings.secret or self.project.secret

    @classmethod
    def open(cls, store: Store, settings: Settings, confusion: np.ndarray | None = None) -> Review:
        """The review in a database.

        Raises:
            ConfigError: No predictions were imported.
        """
        with store.reading() as reader:
            return cls(store, settings, open_project(reader), confusion)

    def single_user(self, stated: str = "") -> Person:
        """Who works on loopback without accounts.

        Args:
            stated: What a page says its reader's name is, percent-encoded.

        Returns:
            By the name that the server was started with, else the stated one, else that of the
            computer's user.

        Raises:
            RefusedError: What is stated is no name.
        """
        name = self.settings.reader or stated_name(unquote(stated))
        if name is None and stated:
            raise RefusedError(
                422,
                "name",
                f"the reader's name (header {READER_HEADER}, percent-encoded): expected up to "
                f"{MOST_NAME} visible characters",
            )
        identity = "machine" if name is None else "stated"
        return Person(name or local_name(), frozenset(ROLES), True, identity)

    def cookie(self, request: Request) -> str | None:
        """What a browser was given when somebody signed in with it; None where nobody did."""
        return request.cookies.get(self.cookie_name)

    def session_key(self, request: Request) -> str | None:
        """What is stored of the session that a browser is in; None without one."""
        cookie = self.cookie(request)
        return None if cookie is None else users.session_key(self.secret, cookie)

    def csrf(self, cookie: str | None) -> str:
        """The token that a page must send with what it changes."""
        text = f"csrf {cookie or _SINGLE}"
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def find_person(self, request: Request) -> tuple[Person | None, bool]:
        """Who sends a request, and whether by a token, which no foreign page can make use of."""
        token = token_of(request)
        if token is not None:
            return self._holder(token), True
        cookie = self.cookie(request)
        with self.store.reading() as reader:
            if cookie is not None:
                found = users.of_session(reader, cookie, self.secret)
                if found is not None:
                    return found, False
            if not self.settings.is_public and not users.n_users(reader):
                return self.single_user(request.headers.get(READER_HEADER, "")), False
        return None, False

    def check_password(self, request: Request, name: str, password: str) -> User | None:
        """The account if the password is right and it is not locked.

        Raises:
            RefusedError: Too many wrong ones, for this name or from this address.
        """
        address = request.client.host if request.client else "?"
        keys = (f"name {name}", f"address {address}")
        with self.attempts.trying(*keys):
            with self.store.reading() as reader:
                user = users.check_password(reader, name, password)
            if user is None:
                self.attempts.failed(*keys)
        return user

    def _holder(self, token: str) -> Person | None:
        """Who a token stands for; its use is noted."""
        with self.store.reading() as reader:
            found = tokens.holder_of(reader, token)
        if found is None:
            return None
        if found.is_use_due:
            with self.store.writing() as writer:
                tokens.note_use(writer, token)
        return found.person


def local_name() -> str:
    """Name of this machine's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return "local user"


def token_of(request: Request) -> str | None:
    """The token that a program sends; None from a browser."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def review_of(request: Request) -> Review:
    """The review that a request is about."""
    return request.app.state.review


def signed_in(request: Request) -> Person:
    """Who sends a request; what changes something needs the page's token too.

    Raises:
        RefusedError: Nobody is signed in, or the token is missing.
    """
    review = review_of(request)
    person, is_by_token = review.find_person(request)
    if person is None:
        raise RefusedError(
            401, "login", "sign in first; nothing was stored", {"WWW-Authenticate": "Bearer"}
        )
    if request.method not in SAFE and not is_by_token:
        cookie = None if person.is_single else review.cookie(request)
        sent = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(sent.encode(), review.csrf(cookie).encode()):
            raise RefusedError(
                403,
                "csrf",
                f"header {CSRF_HEADER} is not the token of GET /session; ask for it again",
            )
    return person
