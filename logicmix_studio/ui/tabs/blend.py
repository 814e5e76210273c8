"""The Blend tab: what LogicMix makes of a few images, and why."""

from __future__ import annotations

NAME = "blend"
TITLE = "Blend"

_SKELETON = """
<div class="lm-page lm-blend" aria-hidden="true">
  <div class="lm-blend-bar"><span class="lm-skeleton" style="height:32px;width:60%"></span></div>
  <div class="lm-blend-stage">
    <div class="lm-blend-left"><span class="lm-skeleton" style="aspect-ratio:1"></span></div>
    <div class="lm-blend-right"><span class="lm-skeleton" style="height:440px"></span></div>
  </div>
</div>
"""


def html() -> str:
    """Return the markup that stands until the script has mounted."""
    return (
        f'<div class="lm" data-lm-tab="{NAME}">{_SKELETON}'
        '<p class="lm-sr" role="status">Loading the blend lab</p></div>'
    )
