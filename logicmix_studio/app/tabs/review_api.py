"""What a program can do in Review."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from logicmix_studio.app.api import receipt_facts
from logicmix_studio.app.page import Page
from logicmix_studio.app.session import event, person
from logicmix_studio.review.cards import Batch
from logicmix_studio.review.history import HistoryFilter
from logicmix_studio.review.queue_spec import QueueSpec

HOLDER: Final = "program"
"""Holds the questions of a program; the next call releases those that it does not name."""


def review_api(page: Page) -> None:
    """Offer queues, conflicts and the history; call it within the blocks.

    Args:
        page: What the tabs share.
    """
    studio = page.studio

    def questions(
        order: str = "uncertain",
        scope: str = "",
        class_name: str = "",
        sign: int = 0,
        band: str = "",
        run: int | None = None,
        split: str = "",
        limit: int = 20,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        """Take the next cells to ask a person about; nobody else is asked about them for five minutes. Answer by /decide.

        Args:
            order: uncertain, useful, confident, rarest, class, conflicts, flipped or random.
            scope: Empty for all that wait, else proposals, open, new, withdrawn, flipped, unsure or fresh.
            class_name: Only of this class.
            sign: 1 only likely present, -1 only likely absent, 0 both.
            band: Only with a score between two numbers, like 0.2-0.8.
            run: The run whose scores count; the current one unless given.
            split: Only images of this split.
            limit: How many at the most.
        """
        spec = QueueSpec.of(order=order, scope=scope, class_name=class_name, sign=sign, band=band, run=run, split=split)
        who = person(studio, request)
        return _batch(studio.review.next_batch(spec, who=who, holder=HOLDER, want=limit))

    def conflicts(
        class_name: str = "", sign: int = 0, limit: int = 20, request: gr.Request | None = None
    ) -> dict[str, Any]:
        """Take the next known cells that the current run contradicts, the strongest first.

        Args:
            class_name: Only of this class.
            sign: What the run says: 1 present, -1 absent, 0 both.
            limit: How many at the most.
        """
        spec = QueueSpec.of(order="conflicts", scope="conflict", class_name=class_name, sign=sign)
        who = person(studio, request)
        return _batch(studio.review.next_batch(spec, who=who, holder=f"{HOLDER}:conflicts", want=limit))

    def dismiss_conflict(
        image_id: str,
        class_name: str,
        run: int | None = None,
        action_id: str | None = None,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        """Uphold what is known of a cell against a run; to change it, use /decide.

        Args:
            image_id: The image.
            class_name: The class.
            run: The run that says the opposite; the current one unless given.
            action_id: The same id twice is one action.
        """
        who = person(studio, request)
        return receipt_facts(studio.review.dismiss(image_id, class_name, who=who, run=run, action_id=action_id))

    def history(
        who: str = "",
        class_name: str = "",
        origin: str = "",
        image_id: str = "",
        before: int | None = None,
        limit: int = 60,
    ) -> list[dict[str, Any]]:
        """List the newest actions, newest first.

        Args:
            who: Only of this person.
            class_name: Only with a cell of this class.
            origin: Only from there: stream, grid, audit, conflicts, browse, blend, label, fiftyone, python, program.
            image_id: Only with a cell of this image.
            before: Only lines with a smaller number.
            limit: How many at the most.
        """
        found = studio.review.history(HistoryFilter(who, class_name, origin, image_id, before), limit)
        rows: list[dict[str, Any]] = found.astype(object).where(found.notna(), None).to_dict("records")
        return rows

    def revert(line: int, action_id: str | None = None, request: gr.Request | None = None) -> dict[str, Any]:
        """Undo any action of the past; cells that were changed again later stay as they are.

        Args:
            line: The number of its journal line.
            action_id: The same id twice is one action.
        """
        return receipt_facts(studio.review.undo(person(studio, request), of=line, action_id=action_id).receipt)

    def labels_at(time: str, limit: int = 200) -> dict[str, Any]:
        """Tell what the labels were at a time, and what differs from now.

        Args:
            time: Like 2024-05-01T10:00; UTC without a zone.
            limit: How many of the cells that differ to list at the most.
        """
        past = studio.review.labels_at(time)
        return {
            "time": past.time,
            "line": past.line,
            "counts": past.counts.to_dict("records"),
            "changed": len(past.changes),
            "cells": past.changes.head(limit).to_dict("records"),
        }

    for function in (questions, conflicts, dismiss_conflict, history, revert, labels_at):
        gr.api(event(function), api_name=function.__name__, queue=False)


def _batch(batch: Batch) -> dict[str, Any]:
    return {
        "cells": [
            {
                "image_id": card.image_id,
                "file": card.path,
                "class_name": card.class_name,
                "state": card.state,
                "claim": card.claim,
                "score": card.score,
                "run": card.run,
            }
            for card in batch.cards
        ],
        "waiting": batch.total,
        "empty": "" if batch.empty is None else f"{batch.empty.title}: {batch.empty.text}",
    }
