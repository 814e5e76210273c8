"""Who may talk to the server. One ASGI middleware stands in front of everything, Gradio's routes included."""

from __future__ import annotations

import base64
import hmac
import html
import ipaddress
import secrets
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from logicmix_studio.app.answers import refusal
from logicmix_studio.environment import assets_folder
from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json, replacing, write_json
from logicmix_studio.store.users import MAX_NAME, User, Users

TOKEN_HEADER: Final = "x-logicmix-token"  # noqa: S105  # the header's name
PERSON_COOKIE: Final = "lm_person"
PERSON_HEADER: Final = "x-logicmix-person"
"""Where a program names the person it speaks for."""
ROLE_HEADER: Final = "x-logicmix-role"
"""Where the guard names the role of whoever has logged in; what a request itself says there is dropped."""
SESSION_DAYS: Final = 30
MAX_LOGIN_BYTES: Final = 10_000
MAX_BODY_BYTES: Final = 32_000_000
"""Of any other request: the ids of a million selected images."""

_COOKIE_PARTS: Final = ("expires", "session", "name", "signature")
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_FAILURES: Final = 10
_FAILURE_WINDOW_S: Final = 60.0
_MAX_ADDRESSES: Final = 1000
"""Addresses whose failed logins are remembered."""
_CLOSED: Final = ("/gradio_api/upload", "/gradio_api/process_recording", "/gradio_api/proxy=", "/monitoring")
"""Gradio's routes that nothing here needs."""

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
    users: Users | None = None
    """Who may come in; None where no login is asked for."""
    ended: EndedSessions = field(default_factory=lambda: EndedSessions(None), compare=False)
    failures: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict, compare=False)
    """Times of the last wrong passwords by address."""
    checking: threading.Lock = field(default_factory=threading.Lock, compare=False)
    """Held while a password is checked: each check takes 64 MiB, and many at once would get round the limit."""

    def __post_init__(self) -> None:
        """Refuse an open address without a login.

        Raises:
            StudioError: If the host is reachable from elsewhere and there is nobody who could log in.
        """
        if not is_loopback(self.host) and not (self.users and self.users.all()):
            raise StudioError(
                f"{self.host} can be reached from other machines, and there are no users",
                "add one: logicmix-studio user add DIR NAME --role owner; or stay with --host 127.0.0.1",
            )

    @property
    def cookie_name(self) -> str:
        """The login cookie's name, so that two studios on one machine do not share it."""
        return f"lm_session_{self._sign('cookie')[:8]}"

    def check_password(self, name: str, password: str, address: str, now: float | None = None) -> User | None:
        """Return who logs in, or None; ten wrong passwords within a minute make their address wait, and no other.

        Raises:
            StudioError: If there were too many wrong ones from this address.
        """
        with self.checking:
            moment = time.monotonic() if now is None else now
            times = self.failures.get(address, deque(maxlen=_MAX_FAILURES))
            if len(times) == _MAX_FAILURES and moment - times[0] < _FAILURE_WINDOW_S:
                raise StudioError("too many wrong passwords from your address", "wait a minute, then try again")
            found = None if self.users is None else self.users.check(name, password)
            if found is None:
                times.append(moment)
                self.failures[address] = times
                self.failures.move_to_end(address)
                if len(self.failures) > _MAX_ADDRESSES:
                    self.failures.popitem(last=False)
            return found

    def session_cookie(self, user: User, now: float | None = None) -> str:
        """Return a signed login that holds for 30 days, until log-out, or until the password changes."""
        expires = int(time.time() if now is None else now) + SESSION_DAYS * 86_400
        name = base64.urlsafe_b64encode(user.name.encode()).decode().rstrip("=")
        text = f"{expires}.{secrets.token_hex(8)}.{name}"
        return f"{text}.{self._sign(f'{text}.{user.mark}')}"

    def user_of(self, connection: HTTPConnection, now: float | None = None) -> User | None:
        """Return who has logged in with the cookie of a request, or None."""
        parts = connection.cookies.get(self.cookie_name, "").split(".")
        if self.users is None or len(parts) != len(_COOKIE_PARTS) or not all(part.isascii() for part in parts):
            return None
        expires, session, name, signature = parts
        if not (expires.isdecimal() and len(expires) < MAX_NAME) or session in self.ended:
            return None
        try:
            user = self.users.find(base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode())
        except ValueError:
            return None
        is_fresh = int(expires) >= (time.time() if now is None else now)
        text = f"{expires}.{session}.{name}"
        return user if user and is_fresh and _same(signature, self._sign(f"{text}.{user.mark}")) else None

    def log_out(self, connection: HTTPConnection) -> None:
        """End the session of a request for good, here and wherever else its cookie was copied to."""
        if self.user_of(connection) is not None:
            expires, session, *_ = connection.cookies[self.cookie_name].split(".")
            self.ended.add(session, int(expires))

    def is_program(self, connection: HTTPConnection) -> bool:
        """Return whether a request shows the token of this user's programs."""
        return _same(connection.headers.get(TOKEN_HEADER, ""), self.token)

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

    def refusal(self, connection: HTTPConnection, user: User | None) -> Response | None:
        """Return why a request, of whoever has logged in, is not let in, or None where it is.

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
        if path.startswith(_CLOSED):
            return refusal(404, "the studio has nothing there", "nothing is uploaded or passed on here")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return refusal(413, "the request is too long", f"send {MAX_BODY_BYTES:,} bytes at the most")
        if self.users is None or path in ("/login", "/favicon.ico"):
            return None
        if user is not None or self.is_program(connection):
            return None
        if not may_change and "text/html" in headers.get("accept", ""):
            return RedirectResponse("/login", status_code=303)
        return refusal(401, "you are not logged in", "open /login")

    def _sign(self, text: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self.secret, text.encode(), "sha256")).decode().rstrip("=")


class EndedSessions:
    """Sessions that were logged out before their time, kept in a file until they would have expired."""

    def __init__(self, path: Path | None) -> None:
        """Read the file; None keeps them in memory only."""
        self.path = path
        self._expiry: dict[str, Any] = (read_json(path) if path else None) or {}

    def __contains__(self, session: str) -> bool:
        """Return whether a session was ended."""
        return session in self._expiry

    def add(self, session: str, expires: int) -> None:
        """End a session; those that have expired are forgotten."""
        left = {name: until for name, until in self._expiry.items() if until >= time.time()}
        self._expiry = {**left, session: expires}
        if self.path is not None:
            write_json(self.path, self._expiry, mode=0o600)


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
        connection = HTTPConnection(scope)
        user = self.access.user_of(connection)
        answer = self.access.refusal(connection, user)
        if answer is None and scope["type"] == "http" and scope["path"].rstrip("/") in ("/login", "/logout"):
            answer = await self._log_in_or_out(Request(scope, receive))
        if answer is None:
            await self.app(self._named(connection, user), _limited(receive), with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        else:
            await answer(scope, receive, with_headers(send))

    def _named(self, connection: HTTPConnection, user: User | None) -> Scope:
        """Return a request that names the person who logged in, whatever it said itself; a program's may name anybody."""
        spoken_for = self.access.users is None or self.access.is_program(connection)
        dropped = (ROLE_HEADER,) if spoken_for else (ROLE_HEADER, PERSON_HEADER)
        kept = [
            (name, value)
            for name, value in connection.scope["headers"]
            if name.lower().decode("latin-1") not in dropped
        ]
        if user is not None and not spoken_for:
            facts = {PERSON_HEADER: quote(user.name), ROLE_HEADER: user.role}
            kept += [(name.encode(), value.encode()) for name, value in facts.items()]
        return {**connection.scope, "headers": kept}

    async def _log_in_or_out(self, request: Request) -> Response:
        access = self.access
        if request.url.path.startswith("/logout"):
            access.log_out(request)
            left = RedirectResponse("/login", status_code=303)
            left.delete_cookie(access.cookie_name, httponly=True, samesite="strict")
            return left
        if access.users is None:
            return RedirectResponse("/", status_code=303)
        if request.method != "POST":
            return HTMLResponse(_login_page())
        form = parse_qs((await _short_body(request)).decode(errors="replace"))
        name = clean_name(form.get("username", [""])[0])
        address = request.client.host if request.client else ""
        try:
            user = await run_in_threadpool(access.check_password, name, form.get("password", [""])[0], address)
        except StudioError as error:
            return HTMLResponse(_login_page(name, f"{error.what}: {error.hint}"), status_code=429)
        if user is None:
            return HTMLResponse(_login_page(name, "Name or password is not right."), status_code=401)
        is_page = "text/html" in request.headers.get("accept", "")
        entered = RedirectResponse("/", status_code=303) if is_page else JSONResponse({"success": True})
        age, cookie = SESSION_DAYS * 86_400, access.session_cookie(user)
        entered.set_cookie(access.cookie_name, cookie, max_age=age, httponly=True, samesite="strict")
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


def _limited(receive: Receive) -> Receive:
    """Return a ``receive`` that gives no more of a body than is allowed, also where no length was announced."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if taken > MAX_BODY_BYTES:
            raise HTTPException(413, f"the request is too long: send {MAX_BODY_BYTES:,} bytes at the most")
        return message

    return receive_some


async def _short_body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_LOGIN_BYTES:
            break
    return body[:MAX_LOGIN_BYTES]


def with_headers(send: Send, added: Mapping[str, str] = _HEADERS) -> Send:
    """Return a ``send`` that adds headers to a response, where it has none of that name."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in added.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


def _login_page(name: str = "", problem: str = "") -> str:
    warning = f'<p role="alert">{html.escape(problem)}</p>' if problem else ""
    page = (assets_folder() / "components" / "page" / "login.html").read_text(encoding="utf-8")
    return Template(page).substitute(warning=warning, name=html.escape(name), max_name=MAX_NAME)
