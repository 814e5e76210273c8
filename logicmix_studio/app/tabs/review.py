"""The Review tab: its views."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Final

import gradio as gr

from logicmix_studio.app.page import QUICK, Page
from logicmix_studio.app.tabs.review_api import review_api
from logicmix_studio.app.tabs.review_audits import audits_part
from logicmix_studio.app.tabs.review_grid import grid_part
from logicmix_studio.app.tabs.review_history import history_part
from logicmix_studio.app.tabs.review_stream import stream_part

PARTS: Final[dict[str, Callable[[Page, gr.Tab], None]]] = {
    "stream": partial(stream_part, origin="stream"),
    "grid": grid_part,
    "audits": audits_part,
    "conflicts": partial(stream_part, origin="conflicts"),
    "history": history_part,
}
"""The views by the name that addresses use."""
_SHOWN: Final = "document.querySelector('.lm-views [role=tab][aria-selected=true]')?.dataset.tabId ?? 'stream'"
NOTE: Final = f"(target) => {{ [lm.view, lm.led] = [{_SHOWN}, target.screen ?? 'stream']; }}"
"""Remembers, until that view is selected, where an address leads and what was shown before."""
SELECT: Final = f"""(target) => {{
  lm.led = null;
  const wanted = {json.dumps(list(PARTS))}.find((name) => name === target.screen) ?? "stream";
  return {{ __type__: "update", selected: lm.view === ({_SHOWN}) ? wanted : {_SHOWN} }};
}}"""
"""Selects the view that an address names, unless somebody has pressed another one since it came."""


def review_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    views: dict[str, gr.Tab] = {}
    target = page.targets["review"]
    target.change(None, target, None, js=NOTE, **QUICK)
    with gr.Tabs(selected="stream", elem_classes="lm-views") as screens:
        for name, part in PARTS.items():
            with gr.Tab(name.title(), id=name, elem_id=f"review-{name}-tab") as views[name]:
                part(page, views[name])
    review_api(page.studio)
    views["audits"].select(None, js="() => lm.address('review', { screen: 'audits' })", **QUICK)
    target.change(None, target, screens, js=SELECT, **QUICK)  # after the views, which find what to show first
