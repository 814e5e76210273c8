"""Who may talk to the server. One ASGI middleware stands in front of everything, Gradio's routes included."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import ipaddress
import secrets
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from logicmix_studio.app.answers import refusal
from logicmix_studio.environment import assets_folder
from logicmix_studio.errors import StudioError
from logicmix_studio.files import replacing

TOKEN_HEADER: Final = "x-logicmix-token"  # noqa: S105  # the header's name
PERSON_COOKIE: Final = "lm_person"
PERSON_HEADER: Final = "x-logicmix-person"
"""Where a program names the person it speaks for."""
SESSION_DAYS: Final = 30
MAX_NAME: Final = 60
"""Characters of a person's name that are kept."""
MAX_LOGIN_BYTES: Final = 10_000

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_FAILURES: Final = 10
_FAILURE_WINDOW_S: Final = 60.0

# Gradio compiles its templates in the page, hence unsafe-inline and unsafe-eval; no other host is allowed.
_HEADERS: Final = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True)
class Access:
    """Everything that decides whether a request is let in."""

    host: str
    """The address the server listens on."""
    secret: bytes
    """Signs cookies; stays the same when the server is restarted."""
    token: str
    """What a program of this user shows instead of a login; it stands in ``server.json``."""
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
        is_right = self.password is not None and _same(given, self.password)
        if not is_right:
            self.failures.append(moment)
        return is_right

    def session_cookie(self, now: float | None = None) -> str:
        """Return a signed login that holds for 30 days."""
        expires = int(time.time() if now is None else now) + SESSION_DAYS * 86_400
        return f"{expires}.{self._sign(f'session:{expires}')}"

    def is_logged_in(self, connection: HTTPConnection, now: float | None = None) -> bool:
        """Return whether a request carries a valid login or the program's token, or none is needed."""
        if self.password is None or _same(connection.headers.get(TOKEN_HEADER, ""), self.token):
            return True
        expires, _, signature = connection.cookies.get(self.cookie_name, "").partition(".")
        if not (expires.isascii() and expires.isdecimal() and len(expires) < MAX_NAME):
            return False
        is_fresh = int(expires) >= (time.time() if now is None else now)
        return is_fresh and _same(signature, self._sign(f"session:{expires}"))

    def is_host_allowed(self, host_header: str) -> bool:
        """Return whether a Host header names this machine and not a name that was bent to point here.

        A literal address can't be rebound, so it is let through where the server listens to the outside.
        """
        name = host_name(host_header)
        if name in _LOOPBACK_NAMES or name == self.host.lower():
            return True
        if is_loopback(self.host):
            return False
        return _address(name) is not None or name in {socket.gethostname().lower(), socket.getfqdn().lower()}

    def refusal(self, connection: HTTPConnection) -> Response | None:
        """Return why a request is not let in, or None where it is.

        A browser names the origin of every request that may change something; a program on this machine names none.
        """
        path, headers = connection.url.path, connection.headers
        may_change = str(connection.scope.get("method", "POST")).upper() not in _SAFE_METHODS
        if not self.is_host_allowed(headers.get("host", "")):
            return refusal(421, "this address does not belong to the studio", "open it under 127.0.0.1")
        if headers.get("sec-fetch-site") == "cross-site" and (may_change or path != "/"):
            return refusal(403, "a foreign page asked for this", "open the studio's own page")
        origin = urlsplit(headers.get("origin", "")).netloc.lower()
        if may_change and "origin" in headers and origin != headers.get("host", "").lower():
            return refusal(403, "the request comes from a foreign page", "open the studio's own page")
        if self.is_logged_in(connection) or path in ("/login", "/favicon.ico"):
            return None
        if not may_change and "text/html" in headers.get("accept", ""):
            return RedirectResponse("/login", status_code=303)
        return refusal(401, "you are not logged in", "open /login")

    def _sign(self, text: str) -> str:
        key = hashlib.sha256(self.secret + (self.password or "").encode()).digest()
        return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).decode().rstrip("=")


class Guard:
    """Lets a request through only if its host, its login and its origin fit, and answers ``/login`` and ``/logout``."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Stand in front of ``app``."""
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refused request here, hand any other on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        answer = self.access.refusal(HTTPConnection(scope))
        if answer is None and scope["type"] == "http" and scope["path"].rstrip("/") in ("/login", "/logout"):
            answer = await self._log_in_or_out(Request(scope, receive))
        if answer is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        else:
            await answer(scope, receive, _with_headers(send))

    async def _log_in_or_out(self, request: Request) -> Response:
        access = self.access
        if request.url.path.startswith("/logout"):
            left = RedirectResponse("/login", status_code=303)
            left.delete_cookie(access.cookie_name, httponly=True, samesite="strict")
            return left
        if access.password is None:
            return RedirectResponse("/", status_code=303)
        if request.method != "POST":
            return HTMLResponse(_login_page())
        form = parse_qs((await _short_body(request)).decode(errors="replace"))
        name = clean_name(form.get("username", [""])[0])
        try:
            is_right = await run_in_threadpool(access.check_password, form.get("password", [""])[0])
        except StudioError as error:
            return HTMLResponse(_login_page(name, f"{error.what}: {error.hint}"), status_code=429)
        if not is_right:
            return HTMLResponse(_login_page(name, "That password is not right."), status_code=401)
        is_page = "text/html" in request.headers.get("accept", "")
        entered = RedirectResponse("/", status_code=303) if is_page else JSONResponse({"success": True})
        age = SESSION_DAYS * 86_400
        entered.set_cookie(access.cookie_name, access.session_cookie(), max_age=age, httponly=True, samesite="strict")
        if name:
            entered.set_cookie(PERSON_COOKIE, quote(name), max_age=age, samesite="strict")
        return entered


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def host_name(host_header: str) -> str:
    """Return a Host header's name without its port, in lower case."""
    text = host_header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


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
    with replacing(path, 0o600) as file:
        file.write(secret.hex().encode())
    return secret


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None


def _same(given: str, expected: str) -> bool:
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


async def _short_body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_LOGIN_BYTES:
            break
    return body[:MAX_LOGIN_BYTES]


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


def _login_page(name: str = "", problem: str = "") -> str:
    warning = f'<p role="alert">{html.escape(problem)}</p>' if problem else ""
    page = (assets_folder() / "components" / "page" / "login.html").read_text(encoding="utf-8")
    return Template(page).substitute(warning=warning, name=html.escape(name), max_name=MAX_NAME)
