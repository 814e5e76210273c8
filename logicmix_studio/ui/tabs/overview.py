"""Overview: what is known, what is not, and what to do next."""

from __future__ import annotations

NAME = "overview"
TITLE = "Overview"


def html() -> str:
    """Return what stands until the script has mounted: the page's shapes in grey."""
    cards = "".join(
        '<div class="lm-card lm-ov-figure"><span class="lm-skeleton"></span></div>' for _ in range(4)
    )
    rows = "".join('<span class="lm-skeleton lm-ov-row-skeleton"></span>' for _ in range(10))
    return (
        f'<div data-lm-tab="{NAME}" class="lm"><div class="lm-page lm-ov" aria-busy="true">'
        f'<h1 class="lm-sr">Overview</h1><div class="lm-ov-figures">{cards}</div>'
        f'<div class="lm-card lm-card-body lm-ov-rows">{rows}</div></div></div>'
    )
