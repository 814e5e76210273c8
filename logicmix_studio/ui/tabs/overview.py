"""Overview: what is known, what is not, and what to do next."""

from __future__ import annotations

NAME = "overview"
TITLE = "Overview"


def html() -> str:
    """Return what stands until the script has mounted: the page's shapes in grey."""
    rows = '<span class="lm-skeleton lm-ov-row-skeleton"></span>' * 10
    return (
        f'<div data-lm-tab="{NAME}" class="lm"><div class="lm-page lm-ov" aria-busy="true">'
        f'<h1 class="lm-sr">Overview</h1><div class="lm-ov-top">{_card(140)}{_card(140)}</div>'
        f'<div class="lm-ov-columns"><div class="lm-card lm-card-body lm-ov-rows">{rows}</div>'
        f'<div class="lm-ov-side">{_card(210)}{_card(120)}</div></div></div></div>'
    )


def _card(height: int) -> str:
    skeleton = f'<span class="lm-skeleton" style="height:{height}px"></span>'
    return f'<div class="lm-card lm-card-body">{skeleton}</div>'
