"""Custom components: functions that return a `gr.HTML` made of three texts in ``assets/components/NAME/``."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from logicmix_studio.environment import assets_folder

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
