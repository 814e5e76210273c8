"""The questions of an audit, for the script that asks them: blind, and answered with the keys of Review."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from logicmix_studio.app.page import Page
from logicmix_studio.app.session import person, server_function
from logicmix_studio.app.tabs.review_stream import card_facts, reversal_facts
from logicmix_studio.review.audit_service import blind

_LAST = {
    "title": "That was the last one. Thank you.",
    "text": "",
    "steps": [{"label": "See what it says", "action": "leave"}],
}


def audit_functions(page: Page) -> list[Callable[..., Any]]:
    """Return what the script may call on the server; ``filters`` hold the number of the audit."""
    studio = page.studio

    @server_function
    def next_cards(asked: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        number = int(asked["filters"]["audit"])
        reply: dict[str, Any] = {"run": None, "lost": []}
        if not number:
            return {"cards": [], "total": 0, "empty": None, **reply}
        cards = studio.audits.questions(number, asked["want"], asked["have"])
        facts = [card_facts(studio, card) for card in cards]
        return {
            "cards": facts,
            "total": studio.audits.left(number),
            "empty": None if facts else _LAST,
            **reply,
        }

    @server_function
    def answer(given: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        receipt = studio.audits.answer(
            int(given["filters"]["audit"]),
            given["image"],
            given["name"],
            0 if given["answer"] == "unsure" else given["state"],
            who=person(studio, request),
            action_id=given["id"],
            ms=given["ms"],
        )
        return {"settled": len(receipt.skipped), "run": None}

    def turn(given: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        act = studio.review.undo if given["kind"] == "undo" else studio.review.redo
        found = act(person(studio, request), action_id=given["id"], target=given.get("target"))
        facts = reversal_facts(studio, found, "audit")
        return {**facts, "run": None, "cards": [card_facts(studio, blind(card)) for card in found.cards[:1]]}

    @server_function
    def undo(given: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        return turn(given, request)

    @server_function
    def redo(given: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        return turn(given, request)

    @server_function
    def release(given: dict[str, Any]) -> dict[str, Any]:
        return {}

    return [next_cards, answer, undo, redo, release]
