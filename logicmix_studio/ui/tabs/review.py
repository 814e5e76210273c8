"""The Review tab: answer cells one by one or by the page, audit, settle conflicts, look back and ahead."""

from __future__ import annotations

NAME = "review"
TITLE = "Review"

_SKELETON = """
<div class="lm-review-skeleton" aria-hidden="true">
  <div class="lm-review-skeleton-stage"></div>
  <div class="lm-review-skeleton-side"></div>
</div>
"""


def html() -> str:
    """Return the markup that stands until the script has mounted."""
    return (
        f'<div class="lm lm-review-root" data-lm-tab="{NAME}">{_SKELETON}'
        '<p class="lm-sr" role="status">Loading the review</p></div>'
    )
