"""Images as tiles: to look at and select in Browse, to mark exceptions in Review, to go back to in Label."""

from __future__ import annotations

from typing import Any

import gradio as gr

from logicmix_studio.app.components import custom
from logicmix_studio.app.media import thumb_url
from logicmix_studio.studio import Studio


def image_grid(*, marking: bool = False, strip: bool = False, answers: bool = False, **options: Any) -> gr.HTML:
    """Return a grid of images; its script builds it, so names are never HTML. Its value: :func:`tiles`.

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
    return custom("image_grid", tiles([]), marking=marking, strip=strip, answers=answers, **options)


def tiles(
    items: list[dict[str, Any]], start: int = 0, total: int | None = None, note: str = "", **more: Any
) -> dict[str, Any]:
    """Return a page of :func:`tile`, about 60, as the grid shows it: those from ``start`` on, of ``total``.

    More may be ``empty`` (what to say where there is none), ``cleared`` (another number ends the selection) and, when
    marking, ``confirm`` (the words of its button).
    """
    return {"items": items, "start": start, "total": len(items) if total is None else total, "note": note, **more}


def tile(studio: Studio, image_id: str, title: str, **more: Any) -> dict[str, Any]:
    """Return an image of a grid; the last part of the title after a slash is shown.

    More may be:

    - ``key``: any text that is another for each tile, and another where the question about it is another,
    - ``chips``: ``[[state, text, score or None], ...]``, state positive, negative, unknown, pseudo, or "" for none,
    - ``large`` (address of the picture for E), ``aside`` (text at the end of the title's line), ``badge`` (text in the
      picture's corner).
    """
    return {"id": image_id, "key": image_id, "url": thumb_url(studio, image_id), "title": title, **more}
