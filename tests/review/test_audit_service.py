"""Audits on a data set: drawn blind, answered through the journal, carried across runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.audit import Scope
from logicmix_studio.review.intervals import clopper_pearson_lower
from logicmix_studio.review.queue_spec import QueueSpec
from logicmix_studio.store import CellValue, Line, Receipt, Source
from logicmix_studio.studio import Studio
from tests.review.audits import answer, answer_all, reopened

ABSENT, PRESENT = Scope(NEGATIVE), Scope(POSITIVE)


def test_known__says_how_many_answers_unlock_what(big: Studio) -> None:
    known = big.audits.known(ABSENT)
    claims = int((big.proposed.array() == NEGATIVE).sum())
    assert (known.claims, known.needed, known.needed_with_one_wrong) == (claims, 59, 93)
    assert known.to_do == (
        f"59 answers, if all are right (93 with one wrong), will unlock “accept all {claims} absent claims above 0.95”"
    )
    assert known.so_far == "nothing is checked yet"
    assert big.audits.known(replace(ABSENT, target=0.9)).needed == 29


def test_known__follows_classes_and_threshold(big: Studio) -> None:
    scope = Scope(POSITIVE, ("square",), 0.99)
    current = big.proposed.current
    assert current is not None
    wanted = (current.scores[:, 1] >= 0.99) & (big.states[:, 1] == UNKNOWN) & ~big.table.is_test
    assert big.audits.known(scope).claims == int(wanted.sum())
    assert big.audits.by_class(scope)["class"].tolist() == ["square"]
    with pytest.raises(StudioError, match="no class 'unicorn'"):
        big.audits.known(Scope(POSITIVE, ("unicorn",)))


@pytest.mark.parametrize(("sign", "target", "message"), [(0, 0.95, "sign is 0"), (1, 1.0, "target is 1.0")])
def test_scope__refuses_what_cannot_be_shown(sign: int, target: float, message: str) -> None:
    with pytest.raises(StudioError, match=message):
        Scope(sign, target=target)


def test_without_a_run_there_is_nothing_to_check(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=0)
    with pytest.raises(StudioError, match="no pseudo-labels to check"):
        studio.audits.known(ABSENT)
    assert studio.audits.table().empty
    assert studio.audits.reliability().empty


def test_too_few_claims_are_refused_in_words(studio: Studio) -> None:
    known = studio.audits.known(PRESENT)
    assert known.needed is None
    assert "too few for an audit: review them one by one" in known.to_do
    with pytest.raises(StudioError, match="too few to show 95%"):
        studio.audits.start([PRESENT], who="ada")


# drawing ------------------------------------------------------------------------------------------


def test_start__draws_open_claims_at_random_and_shuffled(big: Studio) -> None:
    audit = big.audits.start([ABSENT, PRESENT], who="ada", count=40, seed=3)
    claims = big.proposed.array()
    signs = [item.sign for item in audit.plan.items]
    assert (signs.count(NEGATIVE), signs.count(POSITIVE)) == (40, 40)
    assert signs not in (sorted(signs), sorted(signs, reverse=True))
    places = [big.ledger.position(item.image_id, item.class_name) for item in audit.plan.items]
    assert len(set(places)) == 80
    assert all(claims[place] == sign for place, sign in zip(places, signs, strict=True))
    assert [draw.population for draw in audit.plan.draws] == [(claims == NEGATIVE).sum(), (claims == POSITIVE).sum()]


def test_start__the_seed_decides_and_the_same_request_draws_once(
    big: Studio, open_studio: Callable[..., Studio]
) -> None:
    first = big.audits.start([ABSENT], who="ada", seed=3, action_id="one")
    assert big.audits.start([ABSENT], who="ada", seed=4, action_id="one") == first
    other = open_studio(
        "again", num_images=600, class_names=("circle", "square"), known_proportion=0.2, side=16, draw_every=600
    )
    assert other.audits.start([ABSENT], who="ada", seed=3).plan.items == first.plan.items
    assert len(big.audits.table()) == 1


def test_start__every_claim_is_as_likely(studio: Studio) -> None:
    counts: dict[tuple[str, str], int] = {}
    claims = int((studio.proposed.array() == NEGATIVE).sum())
    for seed in range(200):
        plan = studio.audits._plan([ABSENT], 5, seed)
        for item in plan.items:
            place = (item.image_id, item.class_name)
            counts[place] = counts.get(place, 0) + 1
    assert len(counts) == claims
    expected = 200 * 5 / claims
    assert max(abs(count - expected) for count in counts.values()) <= 5 * np.sqrt(expected)


def test_start__two_open_audits_share_no_cell(big: Studio) -> None:
    first = big.audits.start([ABSENT], who="ada", count=50)
    second = big.audits.start([ABSENT], who="ben", count=50)
    assert second.plan.left_out == [first.number]
    cells = [(item.image_id, item.class_name) for one in (first, second) for item in one.plan.items]
    assert len(set(cells)) == 100
    answer_all(big, first)
    answer_all(big, second)
    known = big.audits.known(ABSENT)
    assert (known.checked, known.right) == (100, 100)
    assert known.lower_bound == pytest.approx(float(clopper_pearson_lower(100, 100, 0.975)), abs=0.003)


def test_start__writes_the_plan_and_a_line_before_anything_is_shown(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    saved = json.loads((big.workspace.audits / "0001.json").read_text())
    assert len(saved["plan"]["items"]) == 59
    line = big.ledger.lines[-1]
    assert (line.kind, line.origin, line.cells) == ("note", "audit", ())
    assert line.note == f"audit {audit.number} started: 59 questions, absent, run 1"


def test_start__refuses_a_count_below_one(big: Studio) -> None:
    with pytest.raises(StudioError, match="0 answers shows nothing"):
        big.audits.start([ABSENT], who="ada", count=0)


# answering ----------------------------------------------------------------------------------------


def test_questions__are_blind_and_in_the_order_of_the_plan(big: Studio) -> None:
    audit = big.audits.start([ABSENT, PRESENT], who="ada")
    cards = big.audits.questions(audit.number, 500)
    assert {(card.claim, card.score) for card in cards} == {(0, None)}
    assert [(card.image_id, card.class_name) for card in cards] == [
        (item.image_id, item.class_name) for item in audit.plan.items
    ]
    have = [card.cell for card in cards[:10]]
    assert big.audits.questions(audit.number, 5, have) == cards[10:15]


def test_answer__settles_the_cell_and_is_counted(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    first, second, third = big.audits.questions(audit.number, 3)
    for card, said in ((first, -1), (second, 1), (third, 0)):
        answer(big, audit, card, said)
    values = [big.ledger.value(*big.ledger.position(card.image_id, card.class_name)) for card in (first, second, third)]
    assert values == [
        CellValue(NEGATIVE, Source.ACCEPTED, -1),
        CellValue(POSITIVE, Source.HUMAN, -1),
        CellValue(UNKNOWN, Source.NOBODY, 1),
    ]
    assert big.audits.left(audit.number) == 56
    assert big.ledger.lines[-1].note == "audit 1"


def test_answer__the_same_twice_is_one_and_the_first_person_counts(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    card = big.audits.questions(audit.number, 1)[0]
    first = answer(big, audit, card, -1, action_id="one")
    assert answer(big, audit, card, -1, action_id="one") == Receipt(line=first.line, repeated=True)
    late = answer(big, audit, card, 1, who="ben", action_id="two")
    assert late.line is None
    assert len(late.skipped) == 1
    assert big.ledger.states[big.ledger.position(card.image_id, card.class_name)] == NEGATIVE


def test_answer__of_a_cell_that_was_settled_meanwhile_still_counts(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    card = big.audits.questions(audit.number, 1)[0]
    big.decide(card.image_id, card.class_name, POSITIVE)
    receipt = answer(big, audit, card, -1)
    assert receipt.line is not None
    assert receipt.line.cells == ()
    assert big.audits.left(audit.number) == 58
    assert big.ledger.states[big.ledger.position(card.image_id, card.class_name)] == POSITIVE


def test_answer__undo_and_redo_count(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    card = big.audits.questions(audit.number, 1)[0]
    answer(big, audit, card, -1)
    big.undo()
    assert big.audits.left(audit.number) == 59
    assert card.cell in big.review.reserved
    big.redo()
    assert big.audits.left(audit.number) == 58
    assert card.cell not in big.review.reserved


def test_answer__of_a_cell_that_is_not_asked_is_refused(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    known = np.argwhere(big.states != UNKNOWN)[0]
    with pytest.raises(StudioError, match="does not ask for that"):
        big.audits.answer(audit.number, big.image_ids[known[0]], big.class_names[known[1]], 1, who="ada")
    with pytest.raises(StudioError, match="no audit 7"):
        big.audits.questions(7)


def test_reserved__its_cells_stay_out_of_the_queues_until_it_ends(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    planned = {card.cell for card in big.audits.questions(audit.number, 500)}

    def queued() -> set[int]:
        spec = QueueSpec.of(order="confident")
        return {card.cell for card in big.review.next_batch(spec, who="ada", holder="one", want=2000).cards}

    assert not planned & queued()
    big.audits.give_up(audit.number, who="ada")
    assert planned <= queued()


def test_answers_of_the_stream_are_no_evidence(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    for image, column in np.argwhere(big.proposed.array() == NEGATIVE)[:30].tolist():
        big.decide(big.image_ids[image], big.class_names[column], NEGATIVE)
    assert big.audits.known(ABSENT).checked == 0
    assert big.audits.left(audit.number) == 59


# results ------------------------------------------------------------------------------------------


def test_result__is_shown_only_at_the_end(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    answer_all(big, audit, limit=20)
    with pytest.raises(StudioError, match="audit 1 is open: check 39 more photographs"):
        big.audits.result(1)
    assert big.audits.known(ABSENT).checked == 0
    answer_all(big, audit)
    result = big.audits.result(1)
    assert result.counts
    assert (result.signs[0].checked, result.signs[0].right) == (59, 59)
    assert result.signs[0].lower_bound == float(clopper_pearson_lower(59, 59))


def test_known__59_right_answers_show_95_percent(big: Studio) -> None:
    answer_all(big, big.audits.start([ABSENT], who="ada"))
    known = big.audits.known(ABSENT)
    assert known.is_shown
    assert known.needed == 0
    assert known.covered == known.claims == int((big.proposed.array() == NEGATIVE).sum())
    assert known.lower_bound == pytest.approx(float(clopper_pearson_lower(59, 59)))
    assert known.to_do.startswith("95% is shown: you may accept all")
    with pytest.raises(StudioError, match="nothing is left to check"):
        big.audits.start([ABSENT], who="ada")


def test_known__40_right_answers_say_92_8_percent(big: Studio) -> None:
    answer_all(big, big.audits.start([ABSENT], who="ada", count=40))
    known = big.audits.known(ABSENT)
    assert known.so_far == "40 of 40 right: at least 92.8%"
    assert not known.is_shown
    assert known.needed is not None
    assert 30 <= known.needed <= 33


def test_known__a_second_audit_goes_on_with_the_first(big: Studio) -> None:
    answer_all(big, big.audits.start([ABSENT], who="ada", count=40))
    second = big.audits.start([ABSENT], who="ada")
    answer_all(big, second)
    known = big.audits.known(ABSENT)
    assert known.is_shown
    assert known.checked == 40 + len(second.plan.items)


def test_known__unsure_counts_as_not_right(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    answer(big, audit, big.audits.questions(1, 1)[0], 0)
    answer_all(big, audit)
    assert big.audits.result(1).signs[0].unsure == 1
    assert (big.audits.known(ABSENT).checked, big.audits.known(ABSENT).right) == (59, 58)


def test_known__a_class_that_looks_worse_is_named_and_left_out(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=300, side=16, draw_every=300)
    audit = studio.audits.start([ABSENT], who="ada", count=90, seed=1)
    mine = [card for card in studio.audits.questions(1, 500) if card.class_name == "star"]
    for card in mine[:5]:
        answer(studio, audit, card, POSITIVE)
    answer_all(studio, audit)
    known = studio.audits.known(ABSENT)
    assert known.worse == ("star",)
    assert known.claims == int(np.delete(studio.proposed.array() == NEGATIVE, 3, axis=1).sum())
    assert (known.checked, known.right) == (90 - len(mine), 90 - len(mine))
    assert known.lower_bound == pytest.approx(float(clopper_pearson_lower(known.right, known.right, 0.975)))
    table = studio.audits.by_class(ABSENT).set_index("class")
    assert table["looks_worse"].tolist() == [False, False, False, True, False, False]
    assert (table.loc["star", "checked"], table.loc["star", "right"]) == (len(mine), len(mine) - 5)
    alone = studio.audits.known(replace(ABSENT, class_names=("star",)))
    assert alone.worse == ()
    assert alone.checked == len(mine)


def test_known__of_one_class_uses_its_answers_from_an_audit_of_all(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada", count=100)
    answer_all(big, audit)
    mine = sum(item.class_name == "circle" for item in audit.plan.items)
    known = big.audits.known(replace(ABSENT, class_names=("circle",)))
    assert known.checked == mine
    assert known.lower_bound == pytest.approx(float(clopper_pearson_lower(mine, mine)))


def test_known__a_higher_threshold_uses_the_answers_above_it(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada", count=100)
    answer_all(big, audit)
    mine = sum(item.confidence >= 0.99 for item in audit.plan.items)
    known = big.audits.known(replace(ABSENT, threshold=0.99))
    assert known.checked == mine
    assert known.lower_bound == pytest.approx(float(clopper_pearson_lower(mine, mine)))
    lower = big.audits.known(replace(ABSENT, threshold=0.8))
    assert lower.checked == 100
    assert lower.covered < lower.claims


def test_give_up__proves_nothing_and_can_be_taken_back(big: Studio) -> None:
    audit = big.audits.start([ABSENT], who="ada")
    answer_all(big, audit, limit=40)
    big.audits.give_up(1, who="ada")
    assert not big.audits.result(1).counts
    assert big.audits.result(1).signs[0].checked == 40
    assert big.audits.known(ABSENT).checked == 0
    big.audits.give_up(1, who="ada")
    big.audits.give_up(1, who="ada", given_up=False)
    answer_all(big, audit)
    with pytest.raises(StudioError, match="audit 1 is finished"):
        big.audits.give_up(1, who="ada")
    assert big.audits.known(ABSENT).is_shown
    assert [line.note for line in big.ledger.lines if line.kind == "note"][1:] == [
        "audit 1 given up",
        "audit 1 taken up again",
    ]


def test_table__lists_them_newest_first(big: Studio) -> None:
    big.audits.start([Scope(POSITIVE, ("circle",))], who="ada", count=5)
    answer_all(big, big.audits.start([ABSENT, PRESENT], who="ben", count=5))
    table = big.audits.table()
    columns = ["audit", "claims", "who", "answered", "planned", "status"]
    assert table[columns].values.tolist() == [
        [2, "present and absent", "ben", 10, 10, "finished"],
        [1, "present of circle", "ada", 0, 5, "open"],
    ]


def test_everything_survives_a_restart(big: Studio) -> None:
    answer_all(big, big.audits.start([ABSENT], who="ada", count=40, seed=1), wrong=1)
    answer_all(big, big.audits.start([ABSENT], who="ada", count=30, seed=2), limit=9)
    big.audits.start([PRESENT], who="ada", count=10, seed=3)
    known, table = big.audits.known(ABSENT), big.audits.table()
    reserved = big.review.reserved
    with reopened(big) as again:
        assert again.audits.known(ABSENT) == known
        assert again.audits.table().equals(table)
        assert again.review.reserved == reserved


# across runs --------------------------------------------------------------------------------------


def test_older_audits_can_be_read_and_are_no_evidence(studio: Studio) -> None:
    first, second, planted = studio.image_ids[:3]
    items = [
        {"image_id": image, "class_name": "star", "sign": sign, "band": band, "confidence": 0.99}
        for image, sign, band in ((first, 1, 6), (second, -1, 6), (planted, 1, -1))
    ]
    plan = {"run": 1, "by_class": False, "items": items, "strata": [], "seed": 1, "edges": [0.5, 0.99]}
    saved = {"format": 1, "number": 1, "who": "ada", "time": "2024-05-01T10:00:00+00:00", "action": "x", "plan": plan}
    studio.workspace.audits.mkdir(exist_ok=True)
    (studio.workspace.audits / "0001.json").write_text(json.dumps(saved))
    note = studio.ledger.note
    for image, said in ((first, 1), (second, 1), (planted, -1), (planted, 1)):
        fact = {"audit": 1, "said": said, "image": image, "class": "star"}
        line = note("audit answer", who="ada", origin="audit", extra=fact).line
        if (image, said) == (planted, -1):
            assert isinstance(line, Line)
            note("answer withdrawn", who="ada", origin="audit", extra={"withdrawn": line.seq, "audit": 1})
    with reopened(studio) as again:
        result = again.audits.result(1)
        assert [(one.sign, one.checked, one.right) for one in result.signs] == [(1, 2, 2), (-1, 1, 0)]
        assert not result.counts
        assert again.audits.known(ABSENT).checked == 0


def test_an_audit_that_cannot_be_read_is_left_out_and_told_with_its_file(studio: Studio) -> None:
    studio.workspace.audits.mkdir(exist_ok=True)
    (studio.workspace.audits / "0001.json").write_text('{"number": 1}')
    assert studio.audits.table().empty
    (told,) = studio.audits.warnings
    assert "0001.json: no audit can be read" in told


def test_reliability__compares_scores_with_held_out_cells(big: Studio) -> None:
    found, current = big.audits.reliability(), big.proposed.current
    assert current is not None
    assert found["cells"].sum() == int(current.heldout.sum())
    assert ((found["lower"] <= found["observed"]) & (found["observed"] <= found["upper"])).all()
