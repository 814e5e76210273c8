"""The line above the tabs: data set, person, running job, light and dark, help."""

from __future__ import annotations

from typing import Any

import gradio as gr

from logicmix_studio.app.components import custom, safe
from logicmix_studio.app.page import QUICK, TAB_TITLES, Page, person
from logicmix_studio.studio import Studio

SECONDS = 2.0
"""How often the running job is looked at; the header is always visible."""


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

    def arrive(request: gr.Request) -> tuple[Any, Any]:
        asked = dict(request.query_params)
        tab = asked.pop("tab", None)
        return page.go(tab, **asked) if tab in TAB_TITLES else (gr.skip(), gr.skip())

    gr.on([timer.tick, blocks.load], look, None, line, **QUICK)
    blocks.load(arrive, None, page.way, **QUICK)


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
