"""Thresholds, and accepting many pseudo-labels at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.audit import Scope
from logicmix_studio.store import Receipt, Source
from logicmix_studio.studio import Studio
from tests.review.test_audit_service import answer_all

ABSENT = Scope(NEGATIVE)
CIRCLES = Scope(POSITIVE, ("circle",), 0.9)
WHY = "a colleague checked them all"


@pytest.fixture
def big(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio on 600 images of two classes."""
    return open_studio(num_images=600, class_names=("circle", "square"), known_proportion=0.2, side=16, draw_every=600)


def audited(studio: Studio, **options: int) -> None:
    answer_all(studio, studio.audits.start([ABSENT], who="ada", seed=1), **options)


def test_plan__without_an_audit_says_what_is_known(big: Studio) -> None:
    plan = big.bulk.plan(ABSENT)
    claims = int((big.proposed.array() == NEGATIVE).sum())
    assert not plan.is_audited
    assert len(plan.cells) == claims
    assert plan.words == f"{claims} “absent” without an audit that shows 95%: nothing is checked yet"


def test_plan__after_an_audit_is_what_the_bound_covers(big: Studio) -> None:
    audited(big)
    plan = big.bulk.plan(ABSENT)
    assert plan.is_audited
    assert set(plan.cells.tolist()) == set(np.flatnonzero(big.proposed.array() == NEGATIVE).tolist())
    assert plan.words == f"{len(plan.cells)} “absent”, 59 of 59 right: at least 95.0% of all, checked ones included"


def test_plan__leaves_the_cells_of_open_audits_to_these(big: Studio) -> None:
    audited(big)
    before = len(big.bulk.plan(ABSENT).cells)
    big.audits.start([ABSENT], who="ada", count=20)
    assert len(big.bulk.plan(ABSENT).cells) == before - 20


def test_accept__on_an_audit_is_one_line_that_says_what_was_known(big: Studio) -> None:
    audited(big)
    plan = big.bulk.plan(ABSENT)
    line = big.bulk.accept(ABSENT, expected=len(plan.cells), who="ada").line
    assert line is not None
    assert line.origin == "bulk"
    assert len(line.cells) == len(plan.cells)
    assert line.note == f"accepted at once: {plan.words}"
    assert line.extra["audited"]
    assert (line.extra["checked"], line.extra["right"], line.extra["lower_bound"]) == (59, 59, 0.9505)
    assert {(cell.after.state, cell.after.source) for cell in line.cells} == {(NEGATIVE, Source.ACCEPTED)}
    assert all(cell.score is not None and cell.score <= 0.05 for cell in line.cells)
    assert not (big.proposed.array() == NEGATIVE).any()
    assert big.audits.known(ABSENT).to_do == "no absent claims above 0.95 are left"


def test_accept__is_one_undo(big: Studio) -> None:
    audited(big)
    before = big.ledger.states.copy()
    big.bulk.accept(ABSENT, expected=len(big.bulk.plan(ABSENT).cells), who="ada")
    big.undo()
    np.testing.assert_array_equal(big.ledger.states, before)
    assert big.audits.known(ABSENT).is_shown


def test_accept__without_an_audit_is_refused_with_what_would_help(big: Studio) -> None:
    with pytest.raises(StudioError, match=r"no audit shows 95% for .* nothing is checked yet") as caught:
        big.bulk.accept(ABSENT, expected=len(big.bulk.plan(ABSENT).cells), who="ada")
    assert caught.value.hint == "check 59 more photographs, or say why to accept them all the same"
    audited(big, wrong=1)
    with pytest.raises(StudioError, match="58 of 59 right: at least 92"):
        big.bulk.accept(ABSENT, expected=1, who="ada", reason="  ")
    assert all(line.origin == "audit" for line in big.ledger.lines)


def test_accept__a_reason_lets_it_through_and_the_journal_has_it(big: Studio) -> None:
    plan = big.bulk.plan(CIRCLES, without_audit=True)
    line = big.bulk.accept(CIRCLES, expected=len(plan.cells), who="ada", reason=WHY).line
    assert line is not None
    assert len(line.cells) == len(plan.cells) > 10
    assert not line.extra["audited"]
    assert line.extra["reason"] == WHY
    assert line.note.endswith(f"nothing is checked yet. Reason: {WHY}")
    assert {cell.class_name for cell in line.cells} == {"circle"}
    assert all(cell.score is not None and cell.score >= 0.9 for cell in line.cells)
    assert big.ledger.states[big.table.is_test].tolist() == big.table.states[big.table.is_test].tolist()


def test_accept__writes_only_the_number_that_was_named(big: Studio) -> None:
    expected = len(big.bulk.plan(CIRCLES).cells)
    with pytest.raises(StudioError, match=f"{expected} cells would be written, {expected - 1} were named"):
        big.bulk.accept(CIRCLES, expected=expected - 1, who="ada", reason=WHY)
    assert not big.ledger.lines


def test_accept__the_same_request_is_one_action(big: Studio) -> None:
    expected = len(big.bulk.plan(CIRCLES).cells)
    options = {"expected": expected, "who": "ada", "reason": WHY, "action_id": "one"}
    first = big.bulk.accept(CIRCLES, **options)
    assert big.bulk.accept(CIRCLES, **options) == Receipt(line=first.line, repeated=True)


def test_accept__nothing_is_refused(big: Studio) -> None:
    big.bulk.accept(CIRCLES, expected=len(big.bulk.plan(CIRCLES).cells), who="ada", reason=WHY)
    with pytest.raises(StudioError, match="nothing to accept"):
        big.bulk.accept(CIRCLES, expected=0, who="ada", reason=WHY)


def test_accept__leaves_new_claims_and_worse_classes_out(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=300, side=16, draw_every=300)
    audit = studio.audits.start([ABSENT], who="ada", count=120, seed=1)
    for card in [one for one in studio.audits.questions(1, 500) if one.class_name == "star"][:5]:
        studio.audits.answer(audit.number, card.image_id, "star", POSITIVE, who="ada")
    answer_all(studio, audit)
    scope = replace(ABSENT, target=0.9)
    plan = studio.bulk.plan(scope)
    assert plan.is_audited
    assert plan.words.endswith("; left out, as they look worse: star")
    line = studio.bulk.accept(scope, expected=len(plan.cells), who="ada").line
    assert line is not None
    assert "star" not in {cell.class_name for cell in line.cells}


def test_plan__counts_what_no_audit_covers(big: Studio) -> None:
    audited(big)
    scope = replace(ABSENT, threshold=0.8, target=0.9)
    known, plan = big.audits.known(scope), big.bulk.plan(scope)
    assert plan.is_audited
    assert len(plan.cells) == known.covered < known.claims
    assert f"; {known.claims - known.covered} more are not covered by an audit" in plan.words
    big.bulk.accept(scope, expected=len(plan.cells), who="ada")
    assert big.audits.known(scope).so_far == "nothing is checked yet"


def test_set_threshold__changes_pseudo_labels_and_has_a_line(big: Studio) -> None:
    before = int((big.proposed.array()[:, 0] == POSITIVE).sum())
    receipt = big.bulk.set_threshold(0.999, who="ben", class_name="circle", sign=POSITIVE)
    assert int((big.proposed.array()[:, 0] == POSITIVE).sum()) < before
    assert big.proposed.thresholds.positive.tolist() == [0.999, 0.95]
    assert big.proposed.thresholds.negative.tolist() == [0.95, 0.95]
    line = receipt.line
    assert line is not None
    assert (line.who, line.origin, line.kind) == ("ben", "thresholds", "note")
    assert line.note == "threshold of circle present moved to 0.999"
    assert line.extra == {"threshold": 0.999, "before": [["circle", POSITIVE, 0.95]]}


def test_set_threshold__of_all_classes_survives_a_restart_and_is_made_once(big: Studio) -> None:
    first = big.bulk.set_threshold(0.8, who="ada", action_id="one")
    big.bulk.set_threshold(0.9, who="ada", action_id="two")
    assert big.bulk.set_threshold(0.8, who="ada", action_id="one") == Receipt(line=first.line, repeated=True)
    root = big.workspace.root
    big.close()
    with Studio.open(root, who="ada") as again:
        assert again.proposed.thresholds.positive.tolist() == again.proposed.thresholds.negative.tolist() == [0.9, 0.9]


def test_set_threshold__refuses_what_is_none(big: Studio) -> None:
    with pytest.raises(StudioError, match="threshold of class number 0 is"):
        big.bulk.set_threshold(0.3, who="ada")
    with pytest.raises(StudioError, match="no class 'unicorn'"):
        big.bulk.set_threshold(0.9, who="ada", class_name="unicorn")
    assert not big.ledger.lines
    assert (big.ledger.states == big.table.states).all()
    assert (big.states == UNKNOWN).any()
