"""One question at a time: Stream, Conflicts and an audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from logicmix_studio.app.components import custom


def review_stream(
    origin: str, store: str, filters: Mapping[str, str], server_functions: list[Callable[..., Any]]
) -> gr.HTML:
    """Return the big question with its keys; its script asks the server for cards and sends the answers behind.

    Value: ``{"origin", "store", "filters", "address"}``, the last optional: what the page's address says of the view.
    Another value keeps the card on screen unless the filters have changed. Where the person wants to go on from an empty
    queue, or to the next class, it tells ``.select`` the step.

    Args:
        origin: stream, conflicts or audit.
        store: Names the data set, so that answers kept in the browser find their way.
        filters: What is asked, for next_cards.
        server_functions: next_cards, answer, undo, redo and release; each takes one dictionary.
    """
    value = {"origin": origin, "store": store, "filters": dict(filters)}
    return custom("review_stream", value, server_functions=server_functions, elem_id=f"review-{origin}")
