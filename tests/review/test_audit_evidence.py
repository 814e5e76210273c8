"""What audits prove after the next run."""

from __future__ import annotations

import numpy as np

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, LabelTable
from logicmix_studio.review.audit import Scope
from logicmix_studio.store import load_table
from logicmix_studio.studio import Studio
from tests.review.audits import answer_all, reopened
from tests.workspaces import add_run

ABSENT, PRESENT = Scope(NEGATIVE), Scope(POSITIVE)


def next_run(studio: Studio, *, noise: float, seed: int = 5) -> None:
    """Lay down a run that learned the answers: it is right about every known cell."""
    complete = load_table(studio.workspace.complete_file)
    learned = np.where(studio.states != UNKNOWN, studio.states, complete.states)
    number = max(studio.proposed.runs()) + 1
    table = LabelTable.build(studio.table.paths, studio.class_names, studio.states.copy(), studio.table.splits)
    add_run(studio.workspace, table, learned, run=number, noise=noise, seed=seed)
    studio.registry.refresh()


def test_known__is_carried_to_the_next_run_as_far_as_the_claims_agree(big: Studio) -> None:
    answer_all(big, big.audits.start([ABSENT], who="ada", seed=1))
    before = big.proposed.array() == NEGATIVE
    next_run(big, noise=0.35)
    now = big.proposed.array() == NEGATIVE
    known = big.audits.known(ABSENT)
    assert known.run == 2
    assert (known.checked, known.right) == (59, 59)
    assert known.covered == int((before & now).sum())
    assert known.claims == int(now.sum()) > known.covered
    assert 0.85 < known.lower_bound < 0.95
    assert known.needed is not None
    assert 0 < known.needed < 59


def test_known__answers_in_the_new_part_bring_it_up_again(big: Studio) -> None:
    answer_all(big, big.audits.start([ABSENT], who="ada", seed=1))
    next_run(big, noise=0.35)
    audit = big.audits.start([ABSENT], who="ada", seed=2)
    assert {draw.part for draw in audit.plan.draws} == {"old", "new"}
    assert all(draw.earlier == [1] for draw in audit.plan.draws)
    answer_all(big, audit)
    known = big.audits.known(ABSENT)
    assert known.is_shown
    assert known.covered == known.claims
    with reopened(big) as again:
        assert again.audits.known(ABSENT) == known


def test_known__a_wrong_answer_counts_though_the_next_run_learned_it(big: Studio) -> None:
    answer_all(big, big.audits.start([ABSENT], who="ada", seed=1), wrong=4)
    next_run(big, noise=0.4)
    known = big.audits.known(ABSENT)
    assert (known.checked, known.right) == (59, 55)


def test_known__a_bad_run_is_left_behind(big: Studio) -> None:
    answer_all(big, big.audits.start([ABSENT], who="ada", seed=1), wrong=25)
    next_run(big, noise=0.2)
    assert big.audits.known(ABSENT).needed == 59
    audit = big.audits.start([ABSENT], who="ada", seed=2)
    assert [draw.part for draw in audit.plan.draws] == ["all"]
    answer_all(big, audit)
    known = big.audits.known(ABSENT)
    assert known.is_shown
    assert (known.checked, known.right) == (59, 59)


def test_population__is_worked_out_anew_whatever_happened_since(big: Studio) -> None:
    answer_all(big, big.audits.start([ABSENT], who="ada", seed=1, count=50))
    next_run(big, noise=0.35)
    big.audits.start([PRESENT], who="ada", count=20, seed=3)
    answer_all(big, big.audits.start([ABSENT], who="ada", count=40, seed=2))
    for image, column in np.argwhere(big.proposed.array() != 0)[:200:2].tolist():
        big.decide(big.image_ids[image], big.class_names[column], POSITIVE)
    big.bulk.set_threshold(0.8, who="ada")
    with reopened(big) as again:
        evidence, records = again.audits._evidence, again.audits._records
        draws = [(audit, place) for audit in records.all() for place in range(len(audit.plan.draws))]
        sizes = [int(evidence._drawn_from(audit, audit.plan.draws[place]).sum()) for audit, place in draws]
        assert sizes == [audit.plan.draws[place].population for audit, place in draws]
        assert [audit.plan.draws[place].part for audit, place in draws] == ["all", "all", "old", "new"]


def test_known__audits_of_a_run_that_is_gone_are_no_evidence(big: Studio) -> None:
    answer_all(big, big.audits.start([ABSENT], who="ada", seed=1))
    next_run(big, noise=0.35)
    assert big.audits.known(ABSENT).checked == 59
    big.jobs.delete(1)
    big.registry.refresh()
    assert big.audits.known(ABSENT).checked == 0
    assert big.audits.result(1).signs[0].checked == 59


# older files --------------------------------------------------------------------------------------
