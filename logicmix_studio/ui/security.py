"""Who may talk to the server: hosts, origins, tokens, the login cookie, and the person at work."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from starlette.requests import HTTPConnection

from logicmix_studio.errors import StudioError

TOKEN_HEADER: Final = "x-logicmix-token"  # noqa: S105  # the header's name
PERSON_HEADER: Final = "x-logicmix-person"
PERSON_COOKIE: Final = "lm_person"
SESSION_DAYS: Final = 30
MAX_NAME: Final = 60
"""Characters of a person's name that are kept."""

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_FAILURES: Final = 10
_FAILURE_WINDOW_S: Final = 60.0


@dataclass(frozen=True)
class Access:
    """Everything that decides whether a request is let in."""

    host: str
    """The address the server listens on."""
    secret: bytes
    """Signs cookies; stays the same when the server is restarted."""
    token: str
    """What a program on this machine shows instead of a login."""
    password: str | None = None
    """None where no login is asked for."""
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=_MAX_FAILURES), compare=False)
    """Times of the last wrong passwords."""

    def __post_init__(self) -> None:
        """Refuse an open address without a login.

        Raises:
            StudioError: If the host is reachable from elsewhere and there is no password.
        """
        if not is_loopback(self.host) and not self.password:
            raise StudioError(
                f"{self.host} can be reached from other machines, and no password is set",
                "give one with --password or LOGICMIX_PASSWORD, or stay with --host 127.0.0.1",
            )

    @property
    def page_token(self) -> str:
        """What our own pages add to every request that changes something."""
        return self._sign("page")

    @property
    def cookie_name(self) -> str:
        """The login cookie's name, so that two studios on one machine do not share it."""
        return f"lm_session_{self._sign('cookie')[:8]}"

    def check_password(self, given: str, now: float | None = None) -> bool:
        """Return whether a password is right; ten wrong ones within a minute make everybody wait.

        Raises:
            StudioError: If there were too many wrong ones.
        """
        moment = time.monotonic() if now is None else now
        if len(self.failures) == _MAX_FAILURES and moment - self.failures[0] < _FAILURE_WINDOW_S:
            raise StudioError("too many wrong passwords", "wait a minute, then try again")
        is_right = self.password is not None and hmac.compare_digest(given.encode(), self.password.encode())
        if not is_right:
            self.failures.append(moment)
        return is_right

    def session_cookie(self, now: float | None = None) -> str:
        """Return a signed login that holds for 30 days."""
        expires = int(time.time() if now is None else now) + SESSION_DAYS * 86_400
        return f"{expires}.{self._sign(f'session:{expires}')}"

    def is_logged_in(self, connection: HTTPConnection, now: float | None = None) -> bool:
        """Return whether a request carries a valid login, or none is needed."""
        if self.password is None or self.has_program_token(connection.headers):
            return True
        expires, _, signature = connection.cookies.get(self.cookie_name, "").partition(".")
        if not expires.isdecimal() or int(expires) < (time.time() if now is None else now):
            return False
        return hmac.compare_digest(signature, self._sign(f"session:{expires}"))

    def has_program_token(self, headers: Mapping[str, str]) -> bool:
        """Return whether a program showed the token of ``server.json``."""
        return _same(headers.get(TOKEN_HEADER, ""), self.token)

    def has_page_token(self, headers: Mapping[str, str]) -> bool:
        """Return whether one of our pages sent the request."""
        return _same(headers.get(TOKEN_HEADER, ""), self.page_token)

    def is_host_allowed(self, host_header: str) -> bool:
        """Return whether a Host header names this machine and not a name that was bent to point here.

        A literal address can't be rebound, so it is let through where the server listens to the outside.
        """
        name = host_name(host_header)
        if name in _LOOPBACK_NAMES or name == self.host.lower():
            return True
        if is_loopback(self.host):
            return False
        return _is_address(name) or name in {socket.gethostname().lower(), socket.getfqdn().lower()}

    def _sign(self, text: str) -> str:
        key = hashlib.sha256(self.secret + (self.password or "").encode()).digest()
        return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).decode().rstrip("=")


def changes_something(method: str) -> bool:
    """Return whether a request of this method may change something."""
    return method.upper() not in _SAFE_METHODS


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Return whether the Origin header is there and names the very host that was asked."""
    origin = headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback


def host_name(host_header: str) -> str:
    """Return a Host header's name without its port, in lower case."""
    text = host_header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def current_person(connection: HTTPConnection) -> str:
    """Return the person a request speaks for: its header, its cookie, or whoever started the server.

    Made for ``fastapi.Depends``.
    """
    given = connection.headers.get(PERSON_HEADER) or unquote(connection.cookies.get(PERSON_COOKIE, ""))
    default = getattr(connection.app.state, "default_person", "someone")
    return clean_name(given) or str(default)


def clean_name(name: str) -> str:
    """Return a person's name without control characters, at most 60 characters long."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:MAX_NAME]


def new_token() -> str:
    """Return a random token."""
    return secrets.token_urlsafe(24)


def load_secret(path: Path) -> bytes:
    """Return the key that signs cookies, made at the first call and kept for this user's eyes only."""
    try:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        secret = secrets.token_bytes(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret.hex())
    return secret


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _same(given: str, expected: str) -> bool:
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())
