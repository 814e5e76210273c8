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
SELECT: Final = f"""(target) => {{
  const selected = {json.dumps(list(PARTS))}.find((name) => name === target.screen) ?? "stream";
  return {{ selected, __type__: "update" }};
}}"""


def review_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    views: dict[str, gr.Tab] = {}
    with gr.Tabs(selected="stream", elem_classes="lm-views") as screens:
        # By the page itself, and before the views find what to show: who presses a view by then is not called back.
        page.targets["review"].change(None, page.targets["review"], screens, js=SELECT, **QUICK)
        for name, part in PARTS.items():
            with gr.Tab(name.title(), id=name, elem_id=f"review-{name}-tab") as views[name]:
                part(page, views[name])
    review_api(page.studio)
    views["audits"].select(None, js="() => lm.address('review', { screen: 'audits' })", **QUICK)
    page.shown["review"].select(None, js="() => lm.address('review')", **QUICK)
