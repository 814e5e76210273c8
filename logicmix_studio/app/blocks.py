"""The whole page: a header and six tabs."""

from __future__ import annotations

from typing import Final

import gradio as gr

from logicmix_studio.app.api import add_api
from logicmix_studio.app.page import TAB_TITLES, Page
from logicmix_studio.app.tabs.blend import blend_tab
from logicmix_studio.app.tabs.browse import browse_tab
from logicmix_studio.app.tabs.header import header, wire_header
from logicmix_studio.app.tabs.label import label_tab
from logicmix_studio.app.tabs.overview import overview_tab
from logicmix_studio.app.tabs.review import review_tab
from logicmix_studio.app.tabs.train import train_tab
from logicmix_studio.studio import Studio

CACHE_SECONDS: Final = (600, 3600)
"""How often Gradio's file cache is looked through, and how old a file in it may get."""
LAYOUTS: Final = {
    "overview": overview_tab,
    "browse": browse_tab,
    "blend": blend_tab,
    "review": review_tab,
    "label": label_tab,
    "train": train_tab,
}


def build_blocks(studio: Studio) -> gr.Blocks:
    """Return the page of a data set. Each tab lays its components out, then wires them."""
    with gr.Blocks(
        title=f"{studio.name} · LogicMix Studio", analytics_enabled=False, delete_cache=CACHE_SECONDS, fill_width=True
    ) as blocks:
        add_api(studio)  # before the tabs: a handler there that is called the same gets the number
        line = header(studio)
        # Not a State: its change is never told by events that go without the queue.
        target = gr.JSON({}, visible="hidden")
        with gr.Tabs(selected="overview") as tabs:
            page = Page(studio, tabs, target)
            for name, title in TAB_TITLES.items():
                with gr.Tab(title, id=name, elem_id=f"tab-{name}") as tab:
                    page.shown[name] = tab
                    LAYOUTS[name](page)
        wire_header(page, blocks, line)
        page.wire_timers()
    return blocks
