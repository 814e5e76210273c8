"""Custom components: a `gr.HTML` made of three texts in ``assets/components/NAME/``, and the grid of images.

Those of one tab stand in its module.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from logicmix_studio.app.media import thumb_url
from logicmix_studio.environment import assets_folder
from logicmix_studio.studio import Studio

_TEMPLATE_SIGNS = {ord(sign): f"&#{ord(sign)};" for sign in "$`\\{"}


def custom(
    name: str, value: Any = None, *, server_functions: Sequence[Callable[..., Any]] = (), **options: Any
) -> gr.HTML:
    """Return a component whose template, style and script lie in ``assets/components/NAME/``.

    The script is the body of a function of ``element, props, trigger, server, watch``; it runs once. Template and style
    are optional like the script.

    Args:
        server_functions: What its script may call on the server; each takes one argument.
        options: Further arguments of `gr.HTML`, and properties for its template and script.
    """
    folder = assets_folder() / "components" / name
    texts = {
        part: (folder / part).read_text(encoding="utf-8") if (folder / part).exists() else ""
        for part in ("template.html", "style.css", "script.js")
    }
    component = gr.HTML(
        value,
        html_template=texts["template.html"],
        css_template=texts["style.css"],
        js_on_load=texts["script.js"] or None,
        server_functions=list(server_functions),
        apply_default_css=False,
        **options,
    )
    if component.props and component.js_on_load:
        # An update that leaves the value out (gr.skip) wipes the properties of a component that is not mounted yet.
        component.js_on_load = f"Object.assign(props, {json.dumps(component.props)});\n{component.js_on_load}"
    return component


def safe(text: str) -> str:
    """Return a name as HTML for a template, where it stands in three braces: ``{{{name}}}``.

    Gradio evaluates a rendered template as a JavaScript template string, so escaping for HTML is not enough: ``$``,
    backtick and backslash must go, too.

    Example:
        >>> safe("<b>${x}</b>")
        '&lt;b&gt;&#36;&#123;x}&lt;/b&gt;'
    """
    return html.escape(text).translate(_TEMPLATE_SIGNS)


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
