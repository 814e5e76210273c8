"""All cells as one bar, and the classes as a table of bars."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from logicmix_studio.app.components import custom
from logicmix_studio.explore.overview import OverviewService, Rate
from logicmix_studio.studio import Studio
from logicmix_studio.words import counted


def class_bars(**options: Any) -> gr.HTML:
    """Return the component; its script builds it, so names are never HTML.

    Listen with ``evt: gr.EventData`` to ``.select``: a class was clicked; ``evt._data`` is
    ``{"class_name", "state"}``, the state empty unless one of its numbers was clicked.
    """
    return custom("class_bars", elem_classes="lm-bare", **options)


def bars_value(studio: Studio) -> dict[str, Any]:
    """Return what the component shows of a data set."""
    overview, table = studio.overview, studio.table
    classes, counts = overview.classes(), overview.counts()
    up, down = int(counts.pseudo_positive.sum()), int(counts.pseudo_negative.sum())
    cells = {name: int(np.sum(getattr(counts, name))) for name in ("positive", "negative", "pseudo", "unknown")}
    words = {state: percent(count, counts.total) for state, count in cells.items()}
    words["pseudo"] = f"{up:,} positive, {down:,} negative" if up + down else "none open"
    if studio.proposed.choice()[0] is None:
        words["pseudo"] = "after the first run"
    return {
        "share": percent(counts.known, counts.total),
        "about": f"{counted(table.num_images, 'image')} × {counted(table.num_classes, 'class')}",
        "parts": [[state, count, words[state]] for state, count in cells.items()],
        "notes": list(filter(None, _notes(overview, cells, int(table.is_test.sum())))),
        "images": table.num_images,
        "classes": classes.drop(columns="known").to_numpy(dtype=object).tolist(),
    }


def percent(part: float, whole: float = 1.0) -> str:
    """Return a share in words.

    Example:
        >>> percent(1, 3), percent(0, 0)
        ('33.3 %', '0.0 %')
    """
    return f"{100 * part / whole if whole else 0:.1f} %"


def _notes(overview: OverviewService, cells: dict[str, int], num_test: int) -> tuple[str, ...]:
    """Return in words how far it is: positives found, what is wrong, and which images count."""
    known, expected = cells["positive"] + cells["negative"], overview.expected_positives()
    found = f"{counted(cells['positive'], 'positive')} found so far"
    if expected:
        found += f"; the model expects about {expected:,} more among the unknown cells"
    if known:
        found += f". {percent(cells['negative'], known)} of the known cells are “no”"
    how, rates = overview.errors()
    right = "Nobody knows yet how many pseudo-labels are wrong: an audit tells." if cells["pseudo"] else ""
    if how == "audits":
        right = f"Audits found {_wrong(rates, 'pseudo')} of the checked pseudo-labels of this run to be wrong."
    elif how == "truth":
        right = (
            f"The truth is known here (training never sees it). Wrong are {_wrong(rates, 'pseudo')} of the "
            f"pseudo-labels, and {_wrong(rates, 'known')} of the known cells."
        )
    test = f"All counts are of all images; the {num_test:,} of split test get no pseudo-labels and train nothing."
    return f"{found}.", right, test if num_test else ""


def _wrong(rates: dict[str, Rate], part: str) -> str:
    yes, no = rates[f"{part}_positive"], rates[f"{part}_negative"]
    return f"{percent(*yes)} of {yes.total:,} “yes” and {percent(*no)} of {no.total:,} “no”"
