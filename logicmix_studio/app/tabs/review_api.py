"""What a program can do in Review: queues, conflicts, history, audits, thresholds and bulks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import pandas as pd

from logicmix_studio.app.api import HOLDER, offer, plain
from logicmix_studio.review.audit import DEFAULT_TARGET, Scope
from logicmix_studio.review.cards import Batch, Card
from logicmix_studio.review.history import HistoryFilter
from logicmix_studio.review.queue_spec import DEFAULT_ORDER, QueueSpec
from logicmix_studio.store import Receipt
from logicmix_studio.studio import Studio

ASKED: Final = ("image_id", "path", "class_name", "state", "claim", "score", "run")
"""What a question tells; that of an audit only the first three, and nothing of what the model says."""
Names = list[str]


def review_api(studio: Studio) -> None:
    """Offer queues, conflicts and the history; call it within the blocks."""

    def questions(
        caller: str,
        order: str = DEFAULT_ORDER,
        scope: str = "",
        class_name: str = "",
        sign: int = 0,
        band: str = "",
        run: int | None = None,
        split: str = "",
        limit: int = 20,
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
        return _batch(studio.review.next_batch(spec, who=caller, holder=HOLDER, want=limit))

    def likeliest(
        caller: str, class_name: str = "", run: int | None = None, split: str = "", limit: int = 24
    ) -> dict[str, Any]:
        """Take the page of unknown cells of one class that promises most positives, as Review's grid shows it.

        Nobody else is asked about them for five minutes. Answer by /decide with origin "grid": then what the pages of a
        class brought corrects what the next ones promise.

        Args:
            class_name: Only of this class; of whatever class promises most unless given.
            run: The run whose scores count; the current one unless given.
            split: Only images of this split.
            limit: How many cells at the most.
        """
        page = studio.review.likeliest_page(
            who=caller, holder=f"{HOLDER}:grid", class_name=class_name, run=run, split=split, want=limit
        )
        return {"class_name": page.class_name, "sign": page.sign, "promise": page.promise, **_batch(page.batch)}

    def conflicts(caller: str, class_name: str = "", sign: int = 0, limit: int = 20) -> dict[str, Any]:
        """Take the next known cells that the current run contradicts, the strongest first.

        Args:
            class_name: Only of this class.
            sign: What the run says: 1 present, -1 absent, 0 both.
            limit: How many at the most.
        """
        spec = QueueSpec.of(order="conflicts", scope="conflict", class_name=class_name, sign=sign)
        return _batch(studio.review.next_batch(spec, who=caller, holder=f"{HOLDER}:conflicts", want=limit))

    def history(
        who: str = "",
        class_name: str = "",
        origin: str = "",
        image_id: str = "",
        before: int | None = None,
        limit: int = 60,
    ) -> pd.DataFrame:
        """List the newest actions, newest first.

        Args:
            who: Only of this person.
            class_name: Only with a cell of this class.
            origin: Only from there: stream, grid, audit, conflicts, browse, blend, label, fiftyone, python, program.
            image_id: Only with a cell of this image.
            before: Only lines with a smaller number.
            limit: How many at the most.
        """
        return studio.review.history(HistoryFilter(who, class_name, origin, image_id, before), limit)

    def revert(caller: str, line: int, action_id: str | None = None) -> Receipt:
        """Undo any action of the past; cells that were changed again later stay as they are.

        Args:
            line: The number of its journal line.
            action_id: The same id twice is one action.
        """
        return studio.review.undo(caller, of=line, action_id=action_id).receipt

    def labels_at(time: str, limit: int = 200) -> dict[str, Any]:
        """Tell what the labels were at a time, and what differs from now.

        Args:
            time: Like 2024-05-01T10:00; UTC without a zone.
            limit: How many of the cells that differ to list at the most.
        """
        past = studio.review.labels_at(time)
        cells = {"changed": len(past.changes), "cells": past.changes.head(limit)}
        return {"time": past.time, "line": past.line, "counts": past.counts, **cells}

    offer(
        studio,
        questions,
        likeliest,
        conflicts,
        history,
        revert,
        labels_at,
        methods={"dismiss_conflict": "review.dismiss"},
    )


def audits_api(studio: Studio) -> None:
    """Offer audits, thresholds and bulks; call it within the blocks."""

    def scope(sign: int, target: float, class_names: Names | None, threshold: float | None) -> Scope:
        return Scope(sign, tuple(class_names or ()), threshold, target)

    def audit_plan(
        sign: int = -1, target: float = DEFAULT_TARGET, class_names: Names | None = None, threshold: float | None = None
    ) -> dict[str, Any]:
        """Tell what is known of the pseudo-labels of a sign, and how many answers would unlock what.

        Args:
            sign: 1 claims that a class is present, -1 that it is absent.
            target: Share that shall be right, between 0 and 1.
            class_names: Only of these classes; of all unless given.
            threshold: From this confidence on; from the thresholds of today unless given.
        """
        asked = scope(sign, target, class_names, threshold)
        known, rows = studio.audits.known(asked), studio.audits.by_class(asked)
        return {**asdict(known), "to_do": known.to_do, "so_far": known.so_far, "classes": rows}

    def start_audit(
        caller: str,
        sign: int = -1,
        target: float = DEFAULT_TARGET,
        class_names: Names | None = None,
        threshold: float | None = None,
        count: int | None = None,
        seed: int | None = None,
        action_id: str | None = None,
    ) -> dict[str, Any]:
        """Draw an audit; its questions come from /audit_questions.

        Args:
            sign: 1 claims that a class is present, -1 that it is absent, 0 both, mixed.
            target: Share that shall be right, between 0 and 1.
            class_names: Only of these classes; of all unless given.
            threshold: From this confidence on; from the thresholds of today unless given.
            count: Answers of each sign; as many as are needed unless given.
            seed: Decides the draw; a random one unless given.
            action_id: The same id twice draws once.
        """
        scopes = [scope(one, target, class_names, threshold) for one in ([sign] if sign else [-1, 1])]
        audit = studio.audits.start(scopes, who=caller, count=count, seed=seed, action_id=action_id)
        return {"audit": audit.number, "questions": len(audit.plan.items)}

    def audit_questions(audit: int, limit: int = 20) -> list[dict[str, Any]]:
        """List the next questions of an audit: image_id, file and class_name, and nothing of what the model says.

        Args:
            audit: Its number.
            limit: How many at the most.
        """
        return [_asked(card, ASKED[:3]) for card in studio.audits.questions(audit, limit)]

    def answer_audit(
        caller: str, audit: int, image_id: str, class_name: str, said: int, action_id: str | None = None
    ) -> dict[str, Any]:
        """Answer one question of an audit; it settles the cell, and /undo takes it back.

        Args:
            audit: Its number.
            image_id: The image.
            class_name: The class.
            said: 1 present, -1 absent, 0 unsure.
            action_id: The same id twice is one answer.
        """
        receipt = studio.audits.answer(audit, image_id, class_name, said, who=caller, action_id=action_id)
        return {**plain(receipt), "left": studio.audits.left(audit)}

    def give_up_audit(caller: str, audit: int, take_up: bool = False) -> pd.DataFrame:
        """End an audit that nobody will finish: its answers stay and prove nothing. Lists the audits.

        Args:
            audit: Its number.
            take_up: Go on with it instead.
        """
        studio.audits.give_up(audit, who=caller, given_up=not take_up)
        return studio.audits.table()

    def accept_plan(
        sign: int = -1,
        target: float = DEFAULT_TARGET,
        class_names: Names | None = None,
        threshold: float | None = None,
        without_audit: bool = False,
    ) -> dict[str, Any]:
        """Tell what /accept_above would write: its number of cells, and what is known of them.

        Args:
            sign: 1 claims that a class is present, -1 that it is absent.
            target: Share that shall be right, between 0 and 1.
            class_names: Only of these classes; of all but those that look worse unless given.
            threshold: From this confidence on; from the thresholds of today unless given.
            without_audit: Whether to accept what no audit covers.
        """
        plan = studio.bulk.plan(scope(sign, target, class_names, threshold), without_audit=without_audit)
        facts = {"is_audited": plan.is_audited, "words": plan.words, "known": asdict(plan.known)}
        return {"cells": len(plan.cells), **facts}

    def accept_above(
        caller: str,
        expected: int,
        sign: int = -1,
        target: float = DEFAULT_TARGET,
        class_names: Names | None = None,
        threshold: float | None = None,
        reason: str = "",
        action_id: str | None = None,
    ) -> Receipt:
        """Accept many pseudo-labels at once: one journal line, one undo.

        Args:
            expected: The number of cells that /accept_plan told; refused where it is another by now.
            sign: 1 claims that a class is present, -1 that it is absent.
            target: Share that shall be right, between 0 and 1.
            class_names: Only of these classes; of all but those that look worse unless given.
            threshold: From this confidence on; from the thresholds of today unless given.
            reason: Why to accept without an audit that shows the target; the journal keeps it.
            action_id: The same id twice is one action.
        """
        asked = scope(sign, target, class_names, threshold)
        return studio.bulk.accept(asked, expected=expected, who=caller, reason=reason, action_id=action_id)

    methods = {"audits": "audits.table", "audit_result": "audits.result", "set_threshold": "bulk.set_threshold"}
    every = (audit_plan, start_audit, audit_questions, answer_audit, give_up_audit)
    offer(studio, *every, accept_plan, accept_above, methods=methods)


def _asked(card: Card, names: Sequence[str] = ASKED) -> dict[str, Any]:
    return {name: getattr(card, name) for name in names}


def _batch(batch: Batch) -> dict[str, Any]:
    empty = "" if batch.empty is None else f"{batch.empty.title}: {batch.empty.text}"
    return {"cells": [_asked(card) for card in batch.cards], "waiting": batch.total, "empty": empty}
