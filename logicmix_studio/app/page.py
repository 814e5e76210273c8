"""What the tabs share: the studio, who is asking, how a mistake is shown, the way to another tab, resting timers."""

from __future__ import annotations

import functools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import unquote

import gradio as gr
from gradio.context import LocalContext

from logicmix_studio.app.access import PERSON_COOKIE, PERSON_HEADER, ROLE_HEADER, clean_name
from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio

P = ParamSpec("P")
R = TypeVar("R")
TAB_TITLES = {name: name.title() for name in ("overview", "browse", "blend", "review", "label", "train")}
"""The tabs in their order, by the name that addresses use."""
PRIVATE: Final[dict[str, Any]] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
"""Of every event that is only for the page. With each change of an event's progress Gradio's page asks everything that ever
showed some for its state, containers with all that is in them: half a second of the browser's time, were it not for ``[]``."""
QUICK: Final[dict[str, Any]] = {**PRIVATE, "queue": False, "trigger_mode": "multiple"}
"""Of most. Each counts, also while its like is under way: by default Gradio drops it then, and
with ``always_last`` events that share a function kept calling each other."""
TICK: Final[dict[str, Any]] = {**QUICK, "trigger_mode": "once"}
"""Of timers: a tick that comes while the last one is under way is left out."""
ACTION: Final[dict[str, Any]] = {**PRIVATE, "concurrency_limit": None}
"""Options of an event that may say something, or refuse: messages come through the queue."""


@dataclass
class Page:
    """Handed to every tab."""

    studio: Studio
    tabs: gr.Tabs
    targets: dict[str, gr.JSON]
    """Where somebody wants to go in a tab: ``{"at": time, ...filters}``; the tab listens to its change. One for each tab:
    Gradio lets those who listen to one component answer one after another."""
    shown: dict[str, gr.Tab] = field(default_factory=dict)
    """The tabs by name; a tab's ``select`` event is the moment at which it is looked at."""
    timers: dict[str, list[gr.Timer]] = field(default_factory=lambda: defaultdict(list))

    def timer(self, tab: str, seconds: float) -> gr.Timer:
        """Return a timer that ticks only while a tab is looked at."""
        timer = gr.Timer(seconds, active=False)
        self.timers[tab].append(timer)
        return timer

    @property
    def way(self) -> list[Any]:
        """The outputs of an event that leads to another tab; see :meth:`go`."""
        return [self.tabs, *self.targets.values()]

    def go(self, tab: str, **filters: Any) -> dict[Any, Any]:
        """Return those of :attr:`way` that lead to a tab, with filters such as ``class_name``, ``state``."""
        return {self.tabs: gr.Tabs(selected=tab), self.targets[tab]: {**filters, "at": time.time()}}

    def wire_timers(self) -> None:
        """Switch each timer on and off with its tab; call it once, after all tabs are laid out."""
        owners = [name for name, timers in self.timers.items() for _ in timers]
        every = [timer for timers in self.timers.values() for timer in timers]
        for name, tab in self.shown.items():
            active = [{"__type__": "update", "active": name == one} for one in owners]
            tab.select(None, None, every, js=f"() => ({json.dumps(active)})", **QUICK)  # answers of a server may cross


def any_of(words: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the choices of a filter: in words for none, then names."""
    return [(words, ""), *((name, name) for name in names)]


def person(studio: Studio, request: gr.Request | None) -> str:
    """Return the person a request speaks for: its header, its cookie, or whoever started the server."""
    if request is None:
        return studio.who
    named = request.headers.get(PERSON_HEADER) or request.cookies.get(PERSON_COOKIE, "")
    return clean_name(unquote(named)) or studio.who


def owners_only(function: Callable[P, R]) -> Callable[P, R]:
    """Let an event handler refuse reviewers: what it does belongs to those who answer for the data set."""

    @functools.wraps(function)
    def handler(*args: P.args, **kwargs: P.kwargs) -> R:
        request = LocalContext.request.get(None)
        if request is not None and request.headers.get(ROLE_HEADER, "owner") != "owner":
            raise StudioError("only an owner of the studio may do that", "ask one, or log in as one")
        return function(*args, **kwargs)

    return handler
