"""What the labels of a blend's sources make of each class, as rows for the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, OrExplanation, explain_or, kleene_or


@dataclass(frozen=True)
class SourceLabels:
    """All that is known and claimed about K sources and C classes."""

    states: npt.NDArray[np.int8]
    """(K, C) in {-1, 0, 1}: what people and files said."""
    proposals: npt.NDArray[np.int8]
    """(K, C) in {-1, 0, 1}: pseudo-labels of unknown cells; 0 elsewhere."""
    scores: npt.NDArray[np.floating[Any]] | None
    """(K, C) calibrated probabilities, nan where there is none; None without a run."""
    complete: npt.NDArray[np.int8] | None
    """(K, C) the complete labels of a trial, 0 where even they are silent; None where they are not known."""

    def used(self, with_proposals: bool) -> npt.NDArray[np.int8]:
        """Return the (K, C) states that enter the OR.

        Args:
            with_proposals: Whether pseudo-labels fill unknown cells, as they do late in training.
        """
        return (
            np.where(self.states == UNKNOWN, self.proposals, self.states) if with_proposals else self.states
        )


def source_names(num_sources: int) -> list[str]:
    """Return the names by which the screen speaks of the sources: image 1, image 2, ..."""
    return [f"image {number}" for number in range(1, num_sources + 1)]


def truth_rows(
    class_names: Sequence[str], labels: SourceLabels, *, with_proposals: bool = False
) -> list[dict[str, Any]]:
    """Return one row of the truth table for each class.

    Args:
        class_names: C names, in column order.
        labels: What is known about the sources.
        with_proposals: Whether pseudo-labels fill unknown cells before the OR.

    Returns:
        For each class its name, the state of the blend, the law and the reason in words, what would settle
        it, the sources' states, pseudo-labels and scores, and the true state where it is known.
    """
    used = labels.used(with_proposals)
    known_alone = kleene_or(labels.states)
    truths = None if labels.complete is None else kleene_or(labels.complete)
    names = source_names(len(used))
    rows = []
    for column, explanation in enumerate(explain_or(used)):
        row = _row(class_names[column], explanation, names)
        row["states"] = labels.states[:, column].tolist()
        row["pseudo"] = labels.proposals[:, column].tolist()
        row["scores"] = _scores(labels, column)
        row["rests_on_pseudo"] = bool(explanation.result != known_alone[column])
        row["truth"] = None if truths is None else int(truths[column])
        rows.append(row)
    return rows


def count_rows(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return how many classes of a blend are positive, negative, open, and how many there are."""
    results = [row["result"] for row in rows]
    return {
        "all": len(results),
        "positive": results.count(POSITIVE),
        "negative": results.count(NEGATIVE),
        "open": results.count(UNKNOWN),
    }


def _row(class_name: str, explanation: OrExplanation, names: Sequence[str]) -> dict[str, Any]:
    return {
        "class": class_name,
        "result": explanation.result,
        "law": explanation.law,
        "reason": explanation.reason(class_name, names),
        "deciding": list(explanation.deciding),
        "open": list(explanation.open_sources),
        "settling": explanation.settling_words(names),
        "settle": [[answer.source, answer.answer, answer.result] for answer in explanation.settling],
    }


def _scores(labels: SourceLabels, column: int) -> list[float | None] | None:
    if labels.scores is None:
        return None
    values = labels.scores[:, column].astype(float).tolist()
    return [None if np.isnan(value) else round(value, 4) for value in values]
