"""What every event handler needs: who is asking, and how a mistake is shown."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote

import gradio as gr

from logicmix_studio.app.access import PERSON_COOKIE, PERSON_HEADER, clean_name
from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio

P = ParamSpec("P")
R = TypeVar("R")


def person(studio: Studio, request: gr.Request | None) -> str:
    """Return the person a request speaks for: its header, its cookie, or whoever started the server."""
    if request is None:
        return studio.who
    named = request.headers.get(PERSON_HEADER) or unquote(request.cookies.get(PERSON_COOKIE, ""))
    return clean_name(named) or studio.who


def event(function: Callable[P, R]) -> Callable[P, R]:
    """Let an event handler show a person's mistake as a message on the page instead of a traceback.

    Gradio shows a message as HTML, so names in it are escaped.
    """

    @functools.wraps(function)
    def handler(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except StudioError as error:
            text = f"{error.what}: {error.hint}" if error.hint else error.what
            raise gr.Error(html.escape(text, quote=False), print_exception=False) from error

    return handler


def server_function(function: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any]]:
    """Let a server function of a component answer a person's mistake with ``{"error", "hint"}``."""

    @functools.wraps(function)
    def answer(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        try:
            return function(*args, **kwargs)
        except StudioError as error:
            return {"error": error.what, "hint": error.hint}

    return answer
