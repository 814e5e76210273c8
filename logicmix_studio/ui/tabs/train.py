"""The Train tab: start a run, watch it learn, compare it with others."""

from __future__ import annotations

NAME = "train"
TITLE = "Train"

_SKELETON = """
<div class="lm-page lm-train" aria-hidden="true">
  <div class="lm-train-side"><span class="lm-skeleton" style="height:150px"></span>
  <span class="lm-skeleton" style="height:150px"></span></div>
  <div class="lm-train-main"><span class="lm-skeleton" style="height:420px"></span></div>
</div>
"""


def html() -> str:
    """Return the markup that stands until the script has mounted."""
    return (
        f'<div class="lm" data-lm-tab="{NAME}">{_SKELETON}'
        '<p class="lm-sr" role="status">Loading the training room</p></div>'
    )
