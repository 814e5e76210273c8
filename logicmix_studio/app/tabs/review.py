"""The Review tab: its views."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import gradio as gr

from logicmix_studio.app.page import QUICK, Page, event
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


def review_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    views: dict[str, gr.Tab] = {}
    with gr.Tabs(selected="stream", elem_classes="lm-views") as screens:
        for name, part in PARTS.items():
            with gr.Tab(name.title(), id=name, elem_id=f"review-{name}-tab") as views[name]:
                part(page, views[name])
    review_api(page.studio)
    views["audits"].select(None, js="() => lm.address('review', { screen: 'audits' })", **QUICK)

    def arrive(target: dict[str, Any]) -> Any:
        screen = target.get("screen", "stream")
        return gr.Tabs(selected=screen if screen in PARTS else "stream")

    page.targets["review"].change(event(arrive), page.targets["review"], screens, **QUICK)
    page.shown["review"].select(None, js="() => lm.address('review')", **QUICK)
