"""The whole page: a header (data set, person, running job, light and dark, help) and six tabs."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from logicmix_studio.app.api import add_api
from logicmix_studio.app.components import custom, safe
from logicmix_studio.app.guarded import GuardedBlocks
from logicmix_studio.app.page import QUICK, TAB_TITLES, TICK, Page, person
from logicmix_studio.app.tabs.blend import blend_tab
from logicmix_studio.app.tabs.browse import browse_tab
from logicmix_studio.app.tabs.label import label_tab
from logicmix_studio.app.tabs.overview import overview_tab
from logicmix_studio.app.tabs.review import review_tab
from logicmix_studio.app.tabs.train import train_tab
from logicmix_studio.studio import Studio

CACHE_SECONDS: Final = (600, 3600)
"""How often Gradio's file cache is looked through, and how old a file in it may get."""
SECONDS: Final = 2.0
"""How often the running job is looked at; the header is always visible."""
LAYOUTS: Final = {
    "overview": overview_tab,
    "browse": browse_tab,
    "blend": blend_tab,
    "review": review_tab,
    "label": label_tab,
    "train": train_tab,
}
ARRIVE: Final = f"""() => {{
  const {{ tab, ...filters }} = Object.fromEntries(new URLSearchParams(location.search));
  const [names, skip] = [{list(TAB_TITLES)}, {{ __type__: "update" }}];
  lm.hasArrived = true;
  const targets = names.map((name) => (name === tab ? {{ ...filters, at: Date.now() / 1000 }} : skip));
  return [names.includes(tab) ? {{ ...skip, selected: tab }} : skip, ...targets];
}}"""
"""Leads to where the address says, before anybody can press a tab: an answer of the server would undo that."""


def build_blocks(studio: Studio) -> gr.Blocks:
    """Return the page of a data set. Each tab lays its components out, then wires them."""
    with GuardedBlocks(
        title=f"{studio.name} · LogicMix Studio", analytics_enabled=False, delete_cache=CACHE_SECONDS, fill_width=True
    ) as blocks:
        add_api(studio)  # before the tabs: a handler there that is called the same gets the number
        line = header(studio)
        # No States: their change is never told by events that go without the queue.
        targets = {name: gr.JSON({}, visible="hidden") for name in TAB_TITLES}
        with gr.Tabs(selected="overview") as tabs:
            page = Page(studio, tabs, targets)
            for name, title in TAB_TITLES.items():
                with gr.Tab(title, id=name, elem_id=f"tab-{name}") as tab:
                    page.shown[name] = tab
                    # first of the tab's listeners, of which each waits for those before
                    tab.select(None, js=f"() => lm.address('{name}')", **QUICK)
                    LAYOUTS[name](page)
        wire_header(page, blocks, line)
        page.wire_timers()
    return blocks


def header(studio: Studio) -> gr.HTML:
    """Lay out the header and the list of keys; return the line that changes."""
    line = custom("header", header_value(studio, studio.who), elem_id="header")
    custom("help", elem_id="help")
    return line


def wire_header(page: Page, blocks: gr.Blocks, line: gr.HTML) -> None:
    """Let the header follow the running job, and the page the address it was opened with."""
    studio = page.studio
    timer = gr.Timer(SECONDS)

    def look(request: gr.Request) -> dict[str, Any]:
        return header_value(studio, person(studio, request))

    gr.on([timer.tick, blocks.load], look, None, line, **TICK)
    blocks.load(None, None, page.way, js=ARRIVE, **QUICK)


def header_value(studio: Studio, who: str) -> dict[str, Any]:
    """Return what the header shows."""
    active = next((info for info in studio.jobs.list() if info.is_active), None)
    job = "" if active is None else f"run {active.run}: {active.message or active.status}"
    sync = None if studio.sync is None else studio.sync.status
    return {
        "name": safe(studio.name),
        "root": safe(str(studio.workspace.root)),
        "truth": studio.complete is not None,
        "who": safe(who),
        "job": safe(job),
        "running": active is not None,
        "percent": "" if active is None else str(round(100 * active.fraction)),
        "sync": "" if sync is None or sync.state == "ready" else safe(f"FiftyOne: {sync.state}"),
        "sync_words": "" if sync is None else safe(sync.message),
    }
