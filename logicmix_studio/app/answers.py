"""One form for what goes wrong: a JSON object with ``what`` and ``hint``, and a 4xx status where the client caused it.

Gradio answers 500 to everything, with ``error`` alone or without any words.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from logicmix_studio.errors import StudioError

OUR_MISTAKE: Final = "see the terminal of the studio, and tell us what you did"
HOW_TO_CALL: Final = 'what the functions take stands under "Use via API" at the foot of the page'
HOW_TO_OPEN: Final = "open the studio's page and start from there"
_log = logging.getLogger(__name__)


@dataclass
class _Call:
    """What became of one request."""

    is_entered: bool = False
    """Whether a function of ours was called: what fails before that does not fit what it takes."""
    mistake: StudioError | None = None


_call: ContextVar[_Call | None] = ContextVar("call", default=None)


def note_call(mistake: StudioError | None = None) -> None:
    """Note that a function of ours was called for the request that is being answered, and what a person did wrong."""
    call = _call.get()
    if call is not None:
        call.is_entered, call.mistake = True, mistake


def refusal(status: int, what: str, hint: str, given: Mapping[str, Any] | None = None) -> JSONResponse:
    """Return the answer to a request that is refused: ``what`` and ``hint``, and ``error``, which Gradio's clients show.

    ``given`` is what it said so far, which stays.
    """
    return JSONResponse({"error": what, **(given or {}), "what": what, "hint": hint}, status_code=status)


class Answers:
    """Brings every answer that is no success, and no picture, into one form."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand in front of ``app``."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and its answer back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        call = _Call()
        token = _call.set(call)
        failed: Message | None = None
        has_begun, body = False, b""

        async def take(message: Message) -> None:
            nonlocal failed, has_begun, body
            if message["type"] == "http.response.start" and _is_failure(message):
                failed = message
            elif failed is None:
                has_begun = True
                await send(message)
            else:
                body += message.get("body", b"")

        try:
            await self.app(scope, receive, take)
        except Exception as error:
            if has_begun:
                raise
            if call.mistake is None:
                _log.exception("%s could not be answered", scope["path"])
            told = f"the studio failed: {error!r}" if call.is_entered else f"this request fits nothing here: {error}"
            status = error.status_code if isinstance(error, HTTPException) else 500
            told = error.detail if isinstance(error, HTTPException) else told
            failed, body = {"status": status}, json.dumps({"error": told}).encode()
        finally:
            _call.reset(token)
        if failed is not None:
            how = HOW_TO_CALL if scope["path"].startswith("/gradio_api") else HOW_TO_OPEN
            await _in_form(call, int(failed["status"]), body, how)(scope, receive, send)


def _is_failure(start: Message) -> bool:
    """Return whether an answer that begins is one in words that says that something went wrong."""
    kinds = [value for name, value in start.get("headers", ()) if name.lower() == b"content-type"]
    return start["status"] >= 400 and (not kinds or kinds[0].startswith((b"application/json", b"text/plain")))


def _in_form(call: _Call, status: int, body: bytes, how: str) -> JSONResponse:
    """Return an answer that went wrong with ``what`` and ``hint``; ``how`` is the hint where the request was wrong."""
    try:
        given = json.loads(body)
    except ValueError:
        given = {"error": body.decode(errors="replace")}
    given = given if isinstance(given, dict) else {"error": str(given)}
    if "what" in given and "hint" in given:
        return JSONResponse(given, status_code=status)
    if call.mistake is not None:
        what, hint = call.mistake.what, call.mistake.hint
        return refusal(400, what, hint, given)
    what = _words(given.get("error") or given.get("detail")) or HTTPException(status).detail
    if status < 500 or not call.is_entered or "title" in given:  # only a mistake that Gradio explains has a title
        return refusal(status if status < 500 else 400, what, how, given)
    return refusal(status, what, OUR_MISTAKE, given)


def _words(detail: Any) -> str:
    """Return in words what Gradio or FastAPI says of a mistake."""
    if isinstance(detail, list):
        told = [one for one in detail if isinstance(one, dict)]
        return "; ".join(f"{'.'.join(map(str, one.get('loc', ())))}: {one.get('msg', '')}" for one in told)
    return str(detail or "").strip().splitlines()[0] if str(detail or "").strip() else ""
