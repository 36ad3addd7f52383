"""How a review server is reached, checked before it starts: safe, or not at all."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from buffycoat.errors import ConfigError

SECRET = "BUFFYCOAT_REVIEW_SECRET"
"""Environment variable with the secret of a server that others reach."""
LEAST_SECRET = 32
MOST_NAME = 64
"""Characters of a reader's name."""
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Settings:
    """Of one server.

    Attributes:
        images: Folder that every picture lies in.
        fields: Folder of the fields of view that cells were cut from; None shows none.
        host: Address to listen on.
        port: Likewise.
        origins: Where browsers find it, such as "http://127.0.0.1:8000"; any other is refused.
        secret: Signs sessions; None takes the database's own, on loopback alone.
        certificate: Files of TLS certificate and key; None without.
        is_behind_proxy: Whether a proxy in front of it ends TLS.
        reader: Name of who reads without accounts; None lets the page ask for it.
    """

    images: Path
    fields: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8642
    origins: frozenset[str] = field(default_factory=frozenset)
    secret: str | None = None
    certificate: tuple[Path, Path] | None = None
    is_behind_proxy: bool = False
    reader: str | None = None

    @property
    def is_public(self) -> bool:
        """Whether others than this machine's own users may reach it.

        A server on loopback is reached by another name only through something in front of it.
        """
        names = (urlsplit(origin).hostname or "" for origin in self.origins)
        return self.is_behind_proxy or not all(map(is_loopback, (self.host, *names)))

    @property
    def hosts(self) -> frozenset[str]:
        """Values of the header Host that are taken."""
        return frozenset(urlsplit(origin).netloc for origin in self.origins)


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def make_settings(
    images: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8642,
    name: str | None = None,
    fields: Path | None = None,
    certfile: Path | None = None,
    keyfile: Path | None = None,
    behind_proxy: str | None = None,
    has_users: bool = False,
    reader: str | None = None,
) -> Settings:
    """Check how a server will be reached.

    Args:
        images: Folder of the pictures.
        host: Address to listen on.
        port: Likewise.
        name: By which browsers reach it, if it is not `host`.
        fields: Folder of fields of view.
        certfile: TLS certificate.
        keyfile: Its key.
        behind_proxy: https:// address of the proxy in front; None for none.
        has_users: Whether there are accounts.
        reader: Name of who reads, where there are none.

    Raises:
        ConfigError: Others could reach it, and TLS or a proxy, users, or the secret is missing;
            all that is missing is listed. Or `reader` is no name, or there are accounts.
    """
    certificate = _certificate(certfile, keyfile)
    secret = os.environ.get(SECRET)
    settings = Settings(
        images=images,
        fields=fields,
        host=host,
        port=port,
        origins=_origins(name or host, port, certificate is not None, behind_proxy),
        secret=secret,
        certificate=certificate,
        is_behind_proxy=behind_proxy is not None,
        reader=None if reader is None else _reader(reader, has_users),
    )
    if settings.is_public:
        _check_public(settings, has_users, name)
    return settings


def _reader(name: str, has_users: bool) -> str:
    if has_users:
        raise ConfigError("--reader: there are accounts, so who reads is who logs in. Leave it out")
    if stated_name(name) is None:
        raise ConfigError(f"--reader {name!r}: expected a name of up to {MOST_NAME} characters")
    return name.strip()


def stated_name(text: str) -> str | None:
    """A name as somebody stated it; None if it is none."""
    name = text.strip()
    return name if 0 < len(name) <= MOST_NAME and name.isprintable() else None


def _certificate(certfile: Path | None, keyfile: Path | None) -> tuple[Path, Path] | None:
    if certfile is None and keyfile is None:
        return None
    if certfile is None or keyfile is None:
        raise ConfigError("--certfile and --keyfile go together: give both")
    for option, path in (("--certfile", certfile), ("--keyfile", keyfile)):
        if not path.is_file():
            raise ConfigError(f"{option} {path}: no such file. Check the path")
    return certfile, keyfile


def _origins(host: str, port: int, is_tls: bool, proxy: str | None) -> frozenset[str]:
    if proxy is not None:
        parts = urlsplit(proxy)
        if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ConfigError(
                f"--behind-proxy {proxy}: expected the address that browsers use, such as "
                "https://review.example.org"
            )
        return frozenset({f"https://{parts.netloc.lower()}"})
    scheme, usual = ("https", 443) if is_tls else ("http", 80)
    names = LOOPBACK_NAMES if is_loopback(host) else (_bracketed(host),)
    return frozenset(
        f"{scheme}://{name}{'' if port == usual else f':{port}'}".lower() for name in names
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _check_public(settings: Settings, has_users: bool, name: str | None) -> None:
    """Refuse a server that strangers could use or listen to."""
    missing = []
    if settings.certificate is None and not settings.is_behind_proxy:
        missing.append(
            "TLS: --certfile and --keyfile, or --behind-proxy https://NAME if a proxy ends it"
        )
    if not has_users:
        missing.append("users: buffycoat review users add NAME --role admin")
    if settings.secret is None or len(settings.secret) < LEAST_SECRET:
        missing.append(
            f"a secret of {LEAST_SECRET} characters or more in the environment variable {SECRET}, "
            f"such as: export {SECRET}=$(openssl rand -hex 32)"
        )
    if settings.host in ("0.0.0.0", "::") and not settings.is_behind_proxy and name is None:
        missing.append("the name that browsers reach it by: --name review.example.org")
    if missing:
        shown = "\n  ".join(missing)
        is_named = name is not None and is_loopback(settings.host)
        where = f"--name {name}" if is_named else f"--host {settings.host}"
        raise ConfigError(f"others can reach {where}, and it lacks:\n  {shown}")
