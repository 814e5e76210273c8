"""Images as tiles: to look at and select in Browse, to mark exceptions in Review, to go back to in Label."""

from __future__ import annotations

from typing import Any

import gradio as gr

from logicmix_studio.app.components import custom


def image_grid(
    value: dict[str, Any] | None = None,
    *,
    marking: bool = False,
    strip: bool = False,
    answers: bool = False,
    **options: Any,
) -> gr.HTML:
    """Return a grid of images; its script builds it, so names are never HTML.

    Value: ``{"items": [item, ...], "start": int, "total": int, "note": str}``, about 60 items a page. An item:

    - ``id``, ``url`` (of the thumbnail), ``title`` (a line of text; its last part after a slash is shown),
    - ``key``: any text that is another for each tile, and another where the question about it is another,
    - ``chips``: ``[[state, text, score or None], ...]``, state positive, negative, unknown, pseudo, or "" for none,
    - ``large`` (address of the picture for E), ``aside`` (text at the end of the title's line) and ``badge`` (text in
      the picture's corner), all three optional.

    Optional beside the items: ``empty`` (what to say where there is none), ``cleared`` (another number ends the
    selection) and, when marking, ``confirm`` (the words of its button).

    Plain mode: a click or Enter opens, arrows move, Space, Shift+arrow, Shift+click and Ctrl+click select, "Select all
    that are seen" selects this page. A selection ends when other images are shown. Listen with ``evt: gr.EventData``:

    - ``.select``: open; ``evt._data`` is ``{"id", "key", "at"}`` (``at`` counts from 0 on this page).
    - ``.input``: the selection has changed; ``{"ids", "keys"}``. (``.change`` is Gradio's own: another value.)
    - ``.submit``, with ``answers``: a key was pressed; ``{"answer": yes, no, unsure, undo or redo, "ids": [...]}``,
      the selection or else the tile under the cursor.

    Marking mode: a click, R, N or Space marks a tile as exception, U as unsure, Shift a range; K confirms the rest once
    every tile was on screen. Marks survive a reload.

    - ``.submit``: ``{"id": action id, "marked": [key, ...], "unsure": [key, ...], "keys": [every key], "ms": int}``;
      answer with another value. The keys of undo and redo: as with ``answers``.

    Args:
        marking: Whether tiles are marked instead of opened.
        strip: Whether it is one line of small tiles that can only be opened.
        answers: Whether the keys of Review are told.
    """
    empty = {"items": [], "start": 0, "total": 0, "note": ""}
    return custom("image_grid", value or empty, marking=marking, strip=strip, answers=answers, **options)
