"""One ASGI middleware in front of everything, Gradio's routes included."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from logicmix_studio.ui.security import Access, changes_something, is_same_origin

OPEN_PATHS: Final = ("/login", "/assets/js/", "/assets/css/", "/assets/icons/", "/assets/lm-", "/favicon.ico")
"""What may be seen before the login: it says nothing of the data set."""

# Gradio compiles its templates in the page, hence unsafe-inline and unsafe-eval; no other host is allowed.
CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' http://127.0.0.1:* http://localhost:*",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
SECURITY_HEADERS: Final = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """Lets a request through only if its host, its login and its origin fit."""

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
        refusal = self._refusal(connection, scope)
        if refusal is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        else:
            await refusal(scope, receive, _with_headers(send))

    def _refusal(self, connection: HTTPConnection, scope: Scope) -> Response | None:
        path, headers = str(scope["path"]), connection.headers
        method = str(scope.get("method", "POST"))  # a websocket may change something
        if not self.access.is_host_allowed(headers.get("host", "")):
            return _refuse(
                421,
                "this address does not belong to the studio",
                "open it under 127.0.0.1",
            )
        if headers.get("sec-fetch-site") == "cross-site" and scope["type"] == "http" and path != "/":
            return _refuse(403, "a foreign page asked for this", "open the studio's own page")
        if not self.access.is_logged_in(connection) and not path.startswith(OPEN_PATHS):
            wants_page = method == "GET" and "text/html" in headers.get("accept", "")
            if wants_page:
                return RedirectResponse("/login", status_code=303)
            return _refuse(401, "you are not logged in", "open /login")
        if not changes_something(method) or self.access.has_program_token(headers):
            return None
        if not is_same_origin(headers):
            return _refuse(
                403, "the request does not come from the studio's own page", "programs send X-LogicMix-Token"
            )
        if path.startswith("/api/") and not self.access.has_page_token(headers):
            return _refuse(403, "the page's token is missing or old", "reload the page")
        return None


def _refuse(status: int, error: str, hint: str) -> Response:
    return JSONResponse({"error": error, "hint": hint}, status_code=status)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
