"""One router a tab, and those that all tabs share."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from fastapi import APIRouter

from logicmix_studio.studio import Studio
from logicmix_studio.ui.tabs import TAB_NAMES

SHARED = ("session", "cells", "fiftyone")

__all__ = ["SHARED", "routers"]


def routers(studio: Studio) -> list[APIRouter]:
    """Return the routers of all tabs and the shared ones."""
    made: list[APIRouter] = []
    for name in (*SHARED, *TAB_NAMES):
        module = f"{__name__}.{name}"
        if find_spec(module) is None:
            continue
        make: Callable[[Studio], APIRouter] = import_module(module).router
        made.append(make(studio))
    return made
