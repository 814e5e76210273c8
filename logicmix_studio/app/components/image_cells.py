"""One image, large, with all its cells: answered in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from logicmix_studio.app.components import custom


def image_cells(
    answer_cell: Callable[..., dict[str, Any]], cell_story: Callable[..., dict[str, Any]], **options: Any
) -> gr.HTML:
    """Return the view of one image; its script builds it, so names are never HTML.

    Value: None, or ``{"id", "path", "facts", "url", "large", "active", "before", "after", "ahead", "has_truth",
    "cells"}``. ``facts`` is a line of text, ``url`` ("" where it can't be read) and ``large`` the picture's addresses,
    ``active`` the class to begin with, ``before`` and ``after`` the neighbours' ids, ``ahead`` addresses to fetch,
    ``cells`` :class:`~logicmix_studio.explore.images.Cell` as dicts, in the order to show.

    The keys of Review answer the chosen cell, then the next open one is chosen. Listen with ``evt: gr.EventData``:
    ``.select`` (show another image: ``evt._data["id"]``), ``.input`` (an answer was saved), ``.clear`` (close it).

    Args:
        answer_cell: Server function: ``{"id", "image", "class_name", "state", "seen", "ms"}``, or ``{"id", "reverse"}``
            with undo or redo, to ``{"image", "class_name", "cells", "words"}``: the image's cells, and what to say.
        cell_story: Server function: ``{"image", "class_name"}`` to ``{"words", "lines"}``; a line is a list of who,
            what, when, state and whether it is undone.
        options: Further arguments of `gr.HTML`; ``store`` keeps the unsent answers of data sets apart.
    """
    return custom("image_cells", server_functions=[answer_cell, cell_story], **options)
