"""What a program can do with audits, thresholds and bulks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from logicmix_studio.app.api import receipt_facts
from logicmix_studio.app.session import event, person
from logicmix_studio.files import plain
from logicmix_studio.review.audit import DEFAULT_TARGET, Scope
from logicmix_studio.review.bulk_service import BulkPlan
from logicmix_studio.studio import Studio

Names = list[str]


def add_audits_api(studio: Studio) -> None:
    """Offer audits, thresholds and bulks; call it within the blocks.

    Args:
        studio: The data set.
    """

    def scope(sign: int, target: float, class_names: Names | None, threshold: float | None) -> Scope:
        return Scope(sign, tuple(class_names or ()), threshold, target)

    def audit_plan(
        sign: int = -1,
        target: float = DEFAULT_TARGET,
        class_names: Names | None = None,
        threshold: float | None = None,
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
        words = {"to_do": known.to_do, "so_far": known.so_far}
        return dict(plain({**asdict(known), **words, "classes": rows.to_dict("records")}))

    def start_audit(
        sign: int = -1,
        target: float = DEFAULT_TARGET,
        class_names: Names | None = None,
        threshold: float | None = None,
        count: int | None = None,
        seed: int | None = None,
        action_id: str | None = None,
        request: gr.Request | None = None,
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
        who = person(studio, request)
        audit = studio.audits.start(scopes, who=who, count=count, seed=seed, action_id=action_id)
        return {"audit": audit.number, "questions": len(audit.plan.items)}

    def audit_questions(audit: int, limit: int = 20) -> list[dict[str, Any]]:
        """List the next questions of an audit: image_id, file and class_name, and nothing of what the model says.

        Args:
            audit: Its number.
            limit: How many at the most.
        """
        cards = studio.audits.questions(audit, limit)
        return [{"image_id": one.image_id, "file": one.path, "class_name": one.class_name} for one in cards]

    def answer_audit(
        audit: int,
        image_id: str,
        class_name: str,
        said: int,
        action_id: str | None = None,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        """Answer one question of an audit; it settles the cell, and /undo takes it back.

        Args:
            audit: Its number.
            image_id: The image.
            class_name: The class.
            said: 1 present, -1 absent, 0 unsure.
            action_id: The same id twice is one answer.
        """
        who = person(studio, request)
        receipt = studio.audits.answer(audit, image_id, class_name, said, who=who, action_id=action_id)
        return {**receipt_facts(receipt), "left": studio.audits.left(audit)}

    def audit_result(audit: int) -> dict[str, Any]:
        """Tell what a finished audit says, sign by sign; refused while it is open.

        Args:
            audit: Its number.
        """
        return dict(plain(asdict(studio.audits.result(audit))))

    def audits() -> list[dict[str, Any]]:
        """List the audits, newest first."""
        return list(plain(studio.audits.table().to_dict("records")))

    def give_up_audit(audit: int, take_up: bool = False, request: gr.Request | None = None) -> list[dict[str, Any]]:
        """End an audit that nobody will finish: its answers stay and prove nothing. Lists the audits.

        Args:
            audit: Its number.
            take_up: Go on with it instead.
        """
        studio.audits.give_up(audit, who=person(studio, request), given_up=not take_up)
        return audits()

    def set_threshold(
        threshold: float,
        class_name: str = "",
        sign: int = 0,
        action_id: str | None = None,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        """Move from which confidence on a claim is a pseudo-label; the history has a line of it.

        Args:
            threshold: From 0.5 to 1.
            class_name: The class; all unless given.
            sign: 1 or -1; both where 0.
            action_id: The same id twice is one action.
        """
        who = person(studio, request)
        moved = studio.bulk.set_threshold(threshold, who=who, class_name=class_name, sign=sign, action_id=action_id)
        return receipt_facts(moved)

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
        asked = scope(sign, target, class_names, threshold)
        return _plan(studio.bulk.plan(asked, without_audit=without_audit))

    def accept_above(
        expected: int,
        sign: int = -1,
        target: float = DEFAULT_TARGET,
        class_names: Names | None = None,
        threshold: float | None = None,
        reason: str = "",
        action_id: str | None = None,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
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
        asked, who = scope(sign, target, class_names, threshold), person(studio, request)
        return receipt_facts(studio.bulk.accept(asked, expected=expected, who=who, reason=reason, action_id=action_id))

    every = (audit_plan, start_audit, audit_questions, answer_audit, audit_result, audits, give_up_audit)
    for function in (*every, set_threshold, accept_plan, accept_above):
        gr.api(event(function), api_name=function.__name__, queue=False)


def _plan(plan: BulkPlan) -> dict[str, Any]:
    facts = plain(asdict(plan.known))
    return {"cells": len(plan.cells), "is_audited": plan.is_audited, "words": plan.words, "known": facts}
