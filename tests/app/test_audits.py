"""What a program can do with audits, thresholds and bulks, and what the audit's script may call."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from logicmix_studio.app.blocks import build_blocks
from logicmix_studio.app.page import Page
from logicmix_studio.app.tabs.review_audits import audit_functions, plan_words
from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, UNKNOWN
from logicmix_studio.review.audit import Scope
from logicmix_studio.studio import Studio
from tests.review.test_audit_service import answer_all

Functions = dict[str, Callable[..., Any]]


@pytest.fixture
def big(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio on 600 images of two classes, one of them named in HTML."""
    return open_studio(
        num_images=600, class_names=("<b>${x}</b>", "square"), known_proportion=0.2, side=16, draw_every=600
    )


@pytest.fixture
def api(big: Studio) -> Functions:
    """Return what a program can call, by name."""
    blocks = build_blocks(big)
    return {one.api_name: one.fn for one in blocks.fns.values() if one.api_visibility == "public"}


def test_api__a_whole_audit_unlocks_a_bulk(api: Functions, big: Studio) -> None:
    plan = api["audit_plan"]()
    assert (plan["needed"], plan["checked"], plan["is_shown"]) == (59, 0, False)
    assert sum(row["claims"] for row in plan["classes"]) == plan["claims"]
    started = api["start_audit"](seed=1, action_id="one")
    assert started == api["start_audit"](action_id="one") == {"audit": 1, "questions": 59}
    with pytest.raises(StudioError, match="check 59 more photographs"):
        api["audit_result"](1)
    for place, question in enumerate(api["audit_questions"](1, limit=100), start=1):
        assert set(question) == {"image_id", "file", "class_name"}
        reply = api["answer_audit"](1, question["image_id"], question["class_name"], NEGATIVE)
        assert reply["left"] == 59 - place
    (result,) = api["audit_result"](1)["signs"]
    assert (result["checked"], result["right"]) == (59, 59)
    assert api["audits"]()[0]["status"] == "finished"
    bulk = api["accept_plan"]()
    assert bulk["is_audited"]
    assert bulk["cells"] == bulk["known"]["claims"]
    with pytest.raises(StudioError, match="cells would be written"):
        api["accept_above"](expected=1)
    api["accept_above"](expected=bulk["cells"])
    assert len(big.ledger.lines[-1].cells) == bulk["cells"]
    big.undo()
    assert api["audit_plan"]()["is_shown"]


def test_api__accept_without_an_audit_needs_a_reason(api: Functions, big: Studio) -> None:
    asked = {"sign": 1, "class_names": ["square"], "threshold": 0.99}
    plan = api["accept_plan"](**asked, without_audit=True)
    assert not plan["is_audited"]
    with pytest.raises(StudioError, match="say why to accept them all the same"):
        api["accept_above"](expected=plan["cells"], **asked)
    api["accept_above"](expected=plan["cells"], reason="seen before", **asked)
    assert big.ledger.lines[-1].note.endswith("Reason: seen before")


def test_api__give_up_and_take_up(api: Functions) -> None:
    api["start_audit"](sign=0, count=5)
    assert api["give_up_audit"](1)[0]["status"] == "given up"
    assert api["give_up_audit"](1, take_up=True)[0]["status"] == "open"
    with pytest.raises(StudioError, match="no audit 2"):
        api["give_up_audit"](2)


def test_api__set_threshold(api: Functions, big: Studio) -> None:
    api["set_threshold"](0.99, class_name="square", sign=-1)
    assert big.proposed.thresholds.negative.tolist() == [0.95, 0.99]
    assert api["history"]()[0]["what"] == "threshold of square absent moved to 0.99"
    with pytest.raises(StudioError, match="Choose a number from"):
        api["set_threshold"](2.0)


def test_script__is_blind_and_its_answers_are_undone(big: Studio) -> None:
    number = big.audits.start([Scope(NEGATIVE)], who="ada", seed=1).number
    page, request = Page(big, None, None), SimpleNamespace(headers={}, cookies={})  # type: ignore[arg-type]
    call = {function.__name__: function for function in audit_functions(page)}
    filters = {"audit": str(number)}
    first = call["next_cards"]({"filters": filters, "want": 10, "have": []}, request)
    card = first["cards"][0]
    assert (first["total"], card["claim"], card["score"]) == (59, 0, None)
    given = {"filters": filters, "image": card["image"], "name": card["name"], "ms": 900}
    answered = call["answer"]({**given, "id": "a", "state": 1, "answer": "set"}, request)
    assert answered == {"settled": 0, "run": None}
    place = big.ledger.position(card["image"], card["name"])
    assert big.ledger.states[place] == 1
    undone = call["undo"]({"kind": "undo", "id": "b", "target": "a"}, request)
    assert (undone["cards"][0]["cell"], undone["cards"][0]["score"]) == (card["cell"], None)
    assert big.ledger.states[place] == UNKNOWN
    call["redo"]({"kind": "redo", "id": "c", "target": "a"}, request)
    assert big.ledger.states[place] == 1
    assert call["next_cards"]({"filters": {"audit": "0"}, "want": 5, "have": []}, request)["cards"] == []
    refused = call["answer"]({**given, "id": "d", "state": 5, "answer": "set"}, request)
    assert "does not ask" in refused["error"]


def test_plan_words__escape_the_names_of_classes(big: Studio) -> None:
    audit = big.audits.start([Scope(NEGATIVE)], who="ada", count=120, seed=1)
    for card in [one for one in big.audits.questions(1, 500) if one.class_name != "square"][:12]:
        big.audits.answer(1, card.image_id, card.class_name, 1, who="ada")
    answer_all(big, audit)
    words = plan_words(big.audits.known(Scope(NEGATIVE)))
    assert "left out: &lt;b&gt;&#36;&#123;x}&lt;/b&gt;." in words
