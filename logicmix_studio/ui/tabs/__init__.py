"""The tabs: a name, a title and the markup that stands until its script has mounted."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

TAB_NAMES = ("overview", "browse", "blend", "review", "train")

__all__ = ["TAB_NAMES", "Tab", "tabs"]


class Tab(NamedTuple):
    """One tab of the page."""

    name: str
    title: str
    html: str


def tabs() -> list[Tab]:
    """Return the tabs in the order of the page."""
    return [_tab(name) for name in TAB_NAMES]


def _tab(name: str) -> Tab:
    module = f"{__name__}.{name}"
    if find_spec(module) is None:
        return Tab(name, name.title(), f'<div data-lm-tab="{name}" class="lm"></div>')
    found = import_module(module)
    return Tab(str(found.NAME), str(found.TITLE), str(found.html()))
