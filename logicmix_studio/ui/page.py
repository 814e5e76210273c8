"""The page: its head and header, and the plain form that stands until Gradio has been loaded."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Final

from logicmix_studio.ui.tabs import Tab

TITLE: Final = "LogicMix Studio"
STYLES: Final = ("tokens", "base", "components", "dialogs")
"""Style sheets in the order in which they are read; those of the tabs follow."""

_MARK: Final = (
    '<svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">'
    '<circle cx="9" cy="12" r="6.5"/><circle cx="15" cy="12" r="6.5"/></svg>'
)

_EXTERNAL: Final = re.compile(
    r"""<(?:link|script|meta)\b[^>]*?(?:href|src|content)=["']https?://[^>]*?>(?:\s*</script>)?""", re.I
)


def head(version: str, page_token: str, tab_styles: Sequence[str]) -> str:
    """Return what every form of the page carries in its head.

    Args:
        version: Version of the assets; part of their addresses.
        page_token: What the scripts add to a request that changes something.
        tab_styles: Names of the tabs that have a style sheet of their own.
    """
    base = f"/assets/lm-{version}"
    sheets = "\n".join(
        f'<link rel="stylesheet" href="{base}/css/{name}.css">' for name in (*STYLES, *tab_styles)
    )
    return (
        f'<link rel="icon" href="{base}/icons/logicmix.svg" type="image/svg+xml">\n{sheets}\n'
        f'<meta name="lm-token" content="{html.escape(page_token)}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<script type="module" src="{base}/js/main.js"></script>\n'
    )


def header(dataset: str) -> str:
    """Return the line above the tabs; the script fills in the rest.

    Args:
        dataset: The data set's name.
    """
    return f"""<header class="lm lm-header" data-lm-header>
<a class="lm-brand" href="#/overview" aria-label="LogicMix Studio, overview">{_MARK}
<span>LogicMix <b>Studio</b></span></a>
<span class="lm-dataset" data-lm-dataset title="{html.escape(dataset)}">{html.escape(dataset)}</span>
<div class="lm-header-end" data-lm-header-end></div>
</header>"""


def plain_page(*, head_html: str, dataset: str, tabs: Sequence[Tab]) -> str:
    """Return the page without Gradio: the same header, tabs and scripts.

    Args:
        head_html: From :func:`head`.
        dataset: The data set's name.
        tabs: The tabs, in order.
    """
    buttons = "".join(_button(tab, is_first=index == 0) for index, tab in enumerate(tabs))
    panels = "".join(
        f'<div role="tabpanel" id="tab-{tab.name}" aria-labelledby="tab-{tab.name}-button" class="tabitem"'
        f"{'' if index == 0 else ' hidden'}>{tab.html}</div>"
        for index, tab in enumerate(tabs)
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(dataset)} · {TITLE}</title>
{head_html}</head>
<body class="lm-plain" data-lm-plain>
{header(dataset)}
<main class="tabs">
<div class="tab-wrapper"><div role="tablist" aria-label="Tabs" class="tab-container">{buttons}</div></div>
{panels}
</main>
</body>
</html>
"""


def dress(gradio_html: str, head_html: str) -> str:
    """Return Gradio's page with our head, and without anything that names another host.

    Args:
        gradio_html: What Gradio answers to ``GET /``.
        head_html: From :func:`head`.
    """
    clean = _EXTERNAL.sub("", gradio_html)
    return clean.replace("</head>", f"{head_html}</head>", 1)


def _button(tab: Tab, *, is_first: bool) -> str:
    chosen, style, index = ("true", "selected", 0) if is_first else ("false", "", -1)
    return (
        f'<button role="tab" id="tab-{tab.name}-button" data-tab-id="{tab.name}" tabindex="{index}" '
        f'aria-controls="tab-{tab.name}" aria-selected="{chosen}" class="{style}">'
        f"{html.escape(tab.title)}</button>"
    )
