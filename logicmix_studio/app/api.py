"""What a program does beside the tabs: answer cells, undo, read states and pseudo-labels."""

from __future__ import annotations

from typing import Any

import gradio as gr

from logicmix_studio.app.session import event, person
from logicmix_studio.errors import StudioError
from logicmix_studio.labels import STATE_NAMES
from logicmix_studio.store import Decision, Receipt
from logicmix_studio.studio import Studio

Cell = list[Any]
"""``[image_id, class_name, state, answer, score]``; answer and score may be left out."""


def add_api(studio: Studio) -> None:
    """Offer the functions that belong to no tab; call it within the blocks.

    Args:
        studio: The opened data set.
    """

    def decide(
        cells: list[Cell],
        note: str = "",
        run: int | None = None,
        action_id: str | None = None,
        origin: str = "program",
        keep_known: bool = False,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        """Write answers to cells as one action: one journal line, one undo.

        Args:
            cells: A list of [image_id, class_name, state] with state 1 (positive), 0 (unknown) or -1 (negative); a fourth
                entry names the answer (set, accept, reject, unsure, skip), a fifth the score that was seen.
            note: Words that stand beside the action in the history.
            run: The run whose pseudo-labels are answered; the current one unless given.
            action_id: The same id twice is one action.
            origin: Where the answer comes from.
            keep_known: Whether cells that are known already are left alone.
        """
        receipt = studio.ledger.decide(
            [_decision(studio, cell) for cell in cells],
            who=person(studio, request),
            origin=origin,
            action_id=action_id,
            run=studio.proposed.choice()[0] if run is None else run,
            note=note,
            keep_known=keep_known,
        )
        return receipt_facts(receipt)

    def undo(
        line: int | None = None, action_id: str | None = None, request: gr.Request | None = None
    ) -> dict[str, Any]:
        """Undo the caller's last action, or the journal line that is named.

        Args:
            line: Number of the line; the last action of the caller unless given.
            action_id: The same id twice is one undo.
        """
        return receipt_facts(studio.ledger.undo(person(studio, request), of=line, action_id=action_id))

    def redo(action_id: str | None = None, request: gr.Request | None = None) -> dict[str, Any]:
        """Bring back what the caller undid last.

        Args:
            action_id: The same id twice is one redo.
        """
        return receipt_facts(studio.ledger.redo(person(studio, request), action_id=action_id))

    def pseudo_labels(
        class_name: str = "", value: int = 0, min_confidence: float = 0.0, limit: int = 100
    ) -> list[dict[str, Any]]:
        """List pseudo-labels, the surest first.

        Args:
            class_name: Only of this class; of every class where empty.
            value: Only proposed positives (1) or negatives (-1); both where 0.
            min_confidence: Only from this confidence on, from 0 to 1.
            limit: How many at the most.
        """
        found = studio.proposals(class_name or None, value or None, min_confidence, limit)
        return [
            {
                "image_id": one.image_id,
                "file": one.path,
                "class_name": one.class_name,
                "value": one.value,
                "score": round(one.score, 4),
                "confidence": round(one.confidence, 4),
                "run": one.run,
            }
            for one in found
        ]

    def state(image_id: str, class_name: str) -> str:
        """Tell what is known of one cell: positive, negative or unknown.

        Args:
            image_id: The image.
            class_name: The class.
        """
        row, column = studio.ledger.position(image_id, class_name)
        return STATE_NAMES[int(studio.states[row, column])]

    for function in (decide, undo, redo, pseudo_labels, state):
        gr.api(event(function), api_name=function.__name__, queue=False)


def receipt_facts(receipt: Receipt) -> dict[str, Any]:
    """Return what became of an action, as JSON.

    Args:
        receipt: What the ledger said.
    """
    line = receipt.line
    return {
        "line": None if line is None else line.seq,
        "action_id": None if line is None else line.id,
        "kind": None if line is None else line.kind,
        "of": None if line is None else line.of,
        "cells": 0 if line is None else len(line.cells),
        "repeated": receipt.repeated,
        "skipped": [[one.image_id, one.class_name] for one in receipt.skipped],
        "left_alone": [[one.image_id, one.class_name] for one in receipt.left_alone],
    }


def _decision(studio: Studio, cell: Cell) -> Decision:
    if not 3 <= len(cell) <= 5:
        raise StudioError(f"{cell!r} is no answer", "write [image_id, class_name, state, answer, score]")
    image_id, class_name, state = cell[:3]
    answer = cell[3] if len(cell) > 3 else "set"
    score = cell[4] if len(cell) > 4 else None
    if score is None:
        score = studio.proposed.score_of(image_id, class_name)
    return Decision(str(image_id), str(class_name), state, str(answer), score)
