"""The filters above a view of Review: native components, each view's own, kept in the address."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import gradio as gr

from logicmix_studio.app.page import QUICK, any_of
from logicmix_studio.labels import TEST_SPLIT
from logicmix_studio.review.queue_spec import DEFAULT_ORDER, ORDERS, SCOPES
from logicmix_studio.studio import Studio

LABELS: Final = {
    "order": "Order",
    "scope": "Which cells",
    "class_name": "Class",
    "sign": "Sign",
    "band": "Score",
    "run": "Run",
    "split": "Split",
    "size": "Tiles",
}
DEFAULTS: Final = {"order": DEFAULT_ORDER, "sign": "0", "size": "24"}
"""Of the filters that are not empty by default."""

_SIGNS: Final = [("Both", "0"), ("● likely present", "1"), ("○ likely absent", "-1")]
_BANDS: Final = [
    ("Any score", ""),
    *((f"{low} to {high}", f"{low}-{high}") for low, high in (
        ("0.99", "1"), ("0.95", "1"), ("0.8", "0.95"), ("0.2", "0.8"), ("0.05", "0.2"), ("0", "0.05"), ("0", "0.01")
    )),
]  # fmt: skip


def choices(studio: Studio, name: str, scopes: Mapping[str, str] = SCOPES) -> list[tuple[str, str]]:
    """Return what a filter offers at present: words and value; ``scopes`` are the cells that the view can show."""
    if name == "class_name":
        return any_of("All classes", studio.class_names)
    if name == "run":
        current = studio.proposed.choice()[0]
        others = [str(run) for run in reversed(studio.proposed.runs()) if run != current]
        return any_of(f"{current}, current" if current else "none yet", others)
    if name == "split":
        return any_of("All but test", sorted(set(studio.table.splits) - {TEST_SPLIT, ""}))
    if name == "size":
        return [(one, one) for one in ("12", "24", "48")]
    words = ORDERS if name == "order" else scopes
    return {"sign": _SIGNS, "band": _BANDS}.get(name) or [(text, value) for value, text in words.items()]


def is_meant(target: Mapping[str, Any], screen: str) -> bool:
    """Return whether a target of Review leads to a view."""
    return bool(target) and target.get("screen", "stream") == screen


def is_arriving(target: Mapping[str, Any], screen: str, came: float) -> bool:
    """Return whether somebody is just being led to a view, so that its filters are about to be set.

    ``came`` is the time of the last target that the view has followed, as the browser knew it when it asked.
    """
    return is_meant(target, screen) and target["at"] != came


def arrival() -> gr.Number:
    """Lay out what remembers, in the browser, the last target that a view has followed."""
    return gr.Number(0, visible="hidden", precision=None)


def filter_row(studio: Studio, names: Sequence[str], scopes: Mapping[str, str] = SCOPES) -> list[gr.Dropdown]:
    """Lay a row of filters out."""
    with gr.Row(elem_classes="lm-filters"):
        return [
            gr.Dropdown(choices(studio, name, scopes), value=DEFAULTS.get(name, ""), label=LABELS[name], min_width=120)
            for name in names
        ]


def filled(
    studio: Studio, names: Sequence[str], wanted: Mapping[str, Any], scopes: Mapping[str, str] = SCOPES
) -> tuple[list[str], list[gr.Dropdown]]:
    """Return the values that an address or another tab wants filters to have, and the updates that set them."""
    values, updates = [str(wanted.get(name) or DEFAULTS.get(name, "")) for name in names], []
    for name, value in zip(names, values, strict=True):
        offered = choices(studio, name, scopes)
        more = [] if value in [choice[1] for choice in offered] else [(value, value)]
        updates.append(gr.Dropdown([*offered, *more], value=value))
    return values, updates


def renewed(studio: Studio, names: Sequence[str]) -> list[Any]:
    """Return updates that offer today's runs and classes and leave the values as they are."""
    return [gr.Dropdown(choices(studio, name)) if name in ("run", "class_name") else gr.skip() for name in names]


def then_address(happened: Any, screen: str, names: Sequence[str], boxes: list[Any]) -> None:
    """Let a view and its filters be written into the address after an event."""
    pairs = f"{json.dumps(list(names))}.map((name, at) => [name, values[at]])"
    script = f"(...values) => lm.address('review', {{screen: '{screen}', ...Object.fromEntries({pairs})}})"
    happened.then(None, boxes, None, js=script, **QUICK)
