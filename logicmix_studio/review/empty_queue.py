"""What an empty queue says: why nothing waits, and what could come next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from logicmix_studio.review import QueueSpec
from logicmix_studio.studio import Studio


@dataclass(frozen=True)
class Waiting:
    """Where the cells of a queue are that were not handed out."""

    total: int
    """Cells that wait for an answer."""
    others: int
    """Cells of any queue that other people hold at present."""
    skipped: int
    """Cells that this person skipped."""
    held: int
    """Cells that this screen shows already."""


def explain_empty(studio: Studio, spec: QueueSpec, waiting: Waiting) -> dict[str, Any]:
    """Return title, text and next steps for a queue that gave no cell.

    Args:
        studio: The studio.
        spec: What was asked for.
        waiting: Where its cells are.

    Returns:
        ``{"title", "text", "steps": [{"label", ...}]}``; a step names parameters of the address (``set``), a tab
        (``tab``) or an action (``act``).
    """
    has_run = studio.current_choice()[0] is not None
    if waiting.total and waiting.skipped:
        title, text = (
            "Only skipped cells are left",
            f"You passed over {waiting.skipped} cells of your queues.",
        )
        return _empty(title, text, [{"label": "Show the skipped ones again", "act": "take-again"}])
    if waiting.total > waiting.held and waiting.others:
        text = f"Other people are looking at {waiting.others} cells. Unanswered ones come back within five minutes."
        return _empty("The rest is in other hands", text, [{"label": "Look again", "act": "retry"}, _OPEN])
    if not has_run and spec.takes_only_proposals(has_run=True):
        text = (
            "No run has finished, so there are no pseudo-labels. Train once, or answer unknown cells by hand."
        )
        return _empty("No pseudo-labels yet", text, [{"label": "Go to training", "tab": "train"}, _OPEN])
    if spec.changes in ("new", "withdrawn", "flipped") and studio.previous is None:
        text = (
            "This compares two runs, and only one has finished."
            if has_run
            else "This compares two runs; none has finished."
        )
        return _empty("Nothing to compare", text, [{"label": "Go to training", "tab": "train"}, _ALL])
    if _is_narrow(spec):
        text = "Every cell that these filters leave has been answered, or none fits them."
        return _empty(
            "Nothing waits with these filters", text, [_ALL, {"label": "Go to training", "tab": "train"}]
        )
    text = "Everything in this queue has an answer. The next run will learn from it and propose anew."
    return _empty(
        "All done here",
        text,
        [{"label": "Go to training", "tab": "train"}, {"label": "Run an audit", "set": {"screen": "audit"}}],
    )


_ALL = {
    "label": "Clear the filters",
    "set": {"class": "", "sign": "", "band": "", "split": "", "scope": "", "run": ""},
}
_OPEN = {"label": "Review unknown cells", "set": {"scope": "open", "order": "useful"}}


def _is_narrow(spec: QueueSpec) -> bool:
    narrow = (spec.class_names, spec.sign, spec.splits, spec.changes, spec.never_shown, spec.unsure_before)
    return any(narrow) or (spec.score_low, spec.score_high) != (0.0, 1.0)


def _empty(title: str, text: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {"title": title, "text": text, "steps": steps}
