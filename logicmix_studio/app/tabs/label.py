"""The label tab."""

from __future__ import annotations

import gradio as gr

from logicmix_studio.app.page import Page


def label_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    gr.Markdown("label")
