"""Browse: every image, found by what is known of it."""

from __future__ import annotations

NAME = "browse"
TITLE = "Browse"
_TILES = 24


def html() -> str:
    """Return what stands until the script has mounted: the grid in grey."""
    tiles = "".join('<span class="lm-skeleton lm-br-tile-skeleton"></span>' for _ in range(_TILES))
    return (
        f'<div data-lm-tab="{NAME}" class="lm"><div class="lm-br" aria-busy="true">'
        f'<h1 class="lm-sr">Browse</h1><div class="lm-br-skeleton">{tiles}</div></div></div>'
    )
