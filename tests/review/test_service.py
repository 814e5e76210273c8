"""Queues, leases, answers, undo and conflicts for several people at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import UNKNOWN
from logicmix_studio.review.cards import Batch, Card, PilePage, page_again
from logicmix_studio.review.cells import CellView
from logicmix_studio.review.likeliest import WORTH_A_PAGE
from logicmix_studio.review.proposal_set import RunScores
from logicmix_studio.review.proposals import conflict_mask
from logicmix_studio.review.queue_spec import QueueSpec
from logicmix_studio.review.service import ReviewService
from logicmix_studio.store import Decision, Ledger, Receipt, Source, read_journal
from logicmix_studio.studio import Studio

ALL_OPEN = {"order": "random", "scope": "open"}
EVERYTHING = 500


def ask(review: ReviewService, who: str = "ada", holder: str = "window", **options: Any) -> Batch:
    """Ask for cells; all options but these four are filters."""
    asked = {name: options.pop(name) for name in ("want", "have") if name in options}
    return review.next_batch(QueueSpec.of(**(options or ALL_OPEN)), who=who, holder=holder, **{"want": 10, **asked})


def cells(batch: Batch) -> list[int]:
    return [card.cell for card in batch.cards]


def give(studio: Studio, card: Card, answer: str = "set", state: int = 1, who: str = "ada", **options: Any) -> Receipt:
    decision = Decision(card.image_id, card.class_name, state, answer, card.score)
    return studio.ledger.decide([decision], who=who, run=card.run, **{"origin": "stream", "action_id": None, **options})


def state_of(studio: Studio, card: Card) -> int:
    return int(studio.states[studio.ledger.position(card.image_id, card.class_name)])


@pytest.fixture
def review(studio: Studio) -> ReviewService:
    return studio.review


# queues and leases --------------------------------------------------------------------------------


def test_next_batch__holds_every_unknown_cell_outside_the_test_split(studio: Studio) -> None:
    batch = ask(studio.review, want=EVERYTHING)
    wanted = (studio.states == UNKNOWN) & ~studio.table.is_test[:, np.newaxis]
    assert batch.total == wanted.sum() == len(batch.cards)
    assert set(cells(batch)) == set(np.flatnonzero(wanted).tolist())


def test_next_batch__gives_everybody_who_asks_at_once_their_own_cells(review: ReviewService) -> None:
    people = 8
    start = threading.Barrier(people)

    def take(number: int) -> list[int]:
        start.wait()
        return cells(ask(review, holder=str(number), want=5))

    with ThreadPoolExecutor(people) as pool:
        for _ in range(5):
            given = list(pool.map(take, range(people)))
            assert [len(found) for found in given] == [5] * people
            assert len({cell for found in given for cell in found}) == 5 * people
            for number in range(people):
                review.release("ada", str(number))


def test_next_batch__gives_a_screen_that_asks_twice_at_once_its_cells_both_times(
    review: ReviewService, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = cells(ask(review, want=5))
    view, both_are_there = review.view, threading.Barrier(2, timeout=60)

    def view_together(**options: Any) -> CellView:
        both_are_there.wait()
        return view(**options)

    monkeypatch.setattr(review, "view", view_together)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: cells(ask(review, want=5)), range(2))
    assert first == second == built


def test_next_batch__is_ordered_by_uncertainty(review: ReviewService) -> None:
    scores = [card.score for card in ask(review, order="uncertain", want=EVERYTHING).cards]
    distances = [round(abs(score - 0.5), 3) for score in scores if score is not None]
    assert distances == sorted(distances)
    assert len(distances) == len(scores) > 20


def test_next_batch__claims_agree_with_the_pseudo_labels(studio: Studio) -> None:
    proposals = studio.proposed.array().ravel()
    cards = ask(studio.review, want=EVERYTHING).cards
    assert [card.claim for card in cards] == [int(proposals[card.cell]) for card in cards]
    assert {card.claim for card in cards} == {-1, 0, 1}


def test_next_batch__of_an_earlier_run_shows_its_scores_and_pseudo_labels(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=2)
    earlier = studio.proposed.scores(1)
    assert earlier is not None
    claims = studio.proposed.of(earlier).ravel()
    batch = ask(studio.review, order="confident", run="1", want=EVERYTHING)
    assert set(cells(batch)) == set(np.flatnonzero(claims).tolist())
    assert [card.claim for card in batch.cards] == [int(claims[card.cell]) for card in batch.cards]
    flat = earlier.scores.ravel().astype(np.float64).round(4)
    assert [card.score for card in batch.cards] == [float(flat[card.cell]) for card in batch.cards]
    assert {card.run for card in batch.cards} == {1} == {batch.run}
    give(studio, batch.cards[0], "unsure", 0)
    left = cells(ask(studio.review, order="confident", run="1", want=EVERYTHING))
    assert batch.cards[0].cell not in left
    assert {card.run for card in ask(studio.review, order="confident", want=EVERYTHING).cards} == {2}


def test_next_batch__of_a_run_or_class_that_is_none_is_refused_in_words(review: ReviewService) -> None:
    with pytest.raises(StudioError, match="run 7"):
        ask(review, run=7)
    with pytest.raises(StudioError, match="class 'cat'"):
        ask(review, class_name="cat")


def test_next_batch__counts_what_waits_after_every_answer(studio: Studio) -> None:
    first = ask(studio.review)
    for left, card in enumerate(reversed(first.cards[:5])):
        give(studio, card)
        assert ask(studio.review).total == first.total - left - 1


def test_next_batch__two_people_and_two_windows_never_get_the_same_cell(review: ReviewService) -> None:
    hands = [ask(review), ask(review, who="ben"), ask(review, holder="other window")]
    taken = [cell for batch in hands for cell in cells(batch)]
    assert len(taken) == len(set(taken)) == 30


def test_next_batch__a_reloaded_window_gets_its_cells_again(review: ReviewService) -> None:
    assert ask(review).cards == ask(review).cards


def test_next_batch__what_the_screen_has_is_not_handed_out_again(review: ReviewService) -> None:
    first = cells(ask(review))
    assert not set(first) & set(cells(ask(review, have=first, **ALL_OPEN)))


def test_next_batch__says_which_cells_were_lost_to_others(review: ReviewService) -> None:
    theirs = cells(ask(review, who="ben"))[0]
    assert ask(review, have=[theirs], **ALL_OPEN).lost == [theirs]


@pytest.mark.parametrize("some", [True, False])
def test_release__cells_go_to_others(review: ReviewService, some: bool) -> None:
    mine = cells(ask(review))
    review.release("ada", "window", mine if some else None)
    assert cells(ask(review, who="ben")) == mine


def test_leases__end_by_themselves(studio: Studio) -> None:
    seconds = [0.0]
    review = ReviewService(studio.dataset, studio.proposed, clock=lambda: seconds[0])
    mine = cells(ask(review))
    seconds[0] = 299.0
    assert not set(mine) & set(cells(ask(review, who="ben")))
    review.release("ben", "window")
    seconds[0] = 301.0
    assert cells(ask(review, who="ben")) == mine


def test_reserve__leaves_the_cells_of_an_audit_out(review: ReviewService) -> None:
    first = cells(ask(review))
    review.reserved = frozenset(first)
    assert not set(first) & set(cells(ask(review, want=EVERYTHING, **ALL_OPEN)))


@pytest.mark.parametrize(
    ("options", "filters", "title"),
    [
        ({"runs": 0}, {"scope": "proposals", "order": "confident"}, "No pseudo-labels yet"),
        ({"runs": 1}, {"scope": "withdrawn"}, "Nothing to compare"),
        ({"runs": 1, "known_proportion": 1.0}, {"order": "random"}, "All done here"),
        ({"runs": 1}, {"scope": "unsure"}, "Nothing waits with these filters"),
        ({"runs": 0}, {"scope": "conflict", "order": "conflicts"}, "No run to compare with"),
    ],
)
def test_next_batch__empty_says_why(
    open_studio: Callable[..., Studio], options: dict[str, Any], filters: dict[str, str], title: str
) -> None:
    batch = ask(open_studio(**options).review, **filters)
    assert batch.cards == []
    assert batch.empty is not None
    assert batch.empty.title == title
    assert batch.empty.steps


def test_next_batch__without_a_run_unknown_cells_can_be_reviewed(open_studio: Callable[..., Studio]) -> None:
    cards = ask(open_studio(runs=0).review, order="useful").cards
    assert len(cards) == 10
    assert {(card.score, card.claim, card.run) for card in cards} == {(None, 0, None)}


def test_next_batch__new_withdrawn_and_flipped_compare_two_runs(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=2, num_images=200)
    previous = studio.proposed.previous
    assert previous is not None
    before, after = studio.proposed.of(previous), studio.proposed.array()
    new = set(cells(ask(studio.review, order="random", scope="new", want=EVERYTHING)))
    assert new == set(np.flatnonzero((before == 0) & (after != 0)).tolist())
    assert new


def test_piles__count_the_pseudo_labels_of_each_class_and_sign(studio: Studio) -> None:
    piles = studio.review.piles()
    array = studio.proposed.array()
    counted = {
        (name, sign): int((array[:, column] == sign).sum())
        for column, name in enumerate(studio.class_names)
        for sign in (1, -1)
    }
    assert {(pile.class_name, pile.sign): pile.cells for pile in piles} == {
        key: count for key, count in counted.items() if count
    }
    assert [pile.cells for pile in piles] == sorted((pile.cells for pile in piles), reverse=True)
    largest = piles[0]
    found = ask(
        studio.review,
        order="confident",
        scope="proposals",
        class_name=largest.class_name,
        sign=largest.sign,
        want=EVERYTHING,
    )
    assert len(found.cards) == largest.cells


def test_piles__none_before_the_first_run(open_studio: Callable[..., Studio]) -> None:
    assert open_studio(runs=0).review.piles() == []


# answers ------------------------------------------------------------------------------------------


def test_answer__settles_the_cell_and_leaves_the_queue(studio: Studio) -> None:
    card = ask(studio.review).cards[0]
    give(studio, card, state=-1)
    assert state_of(studio, card) == -1
    assert card.cell not in cells(ask(studio.review))


def test_answer__accepting_a_pseudo_label_says_so_in_the_sources(studio: Studio) -> None:
    card = next(card for card in ask(studio.review, want=200, **ALL_OPEN).cards if card.claim)
    give(studio, card, "accept", card.claim)
    place = studio.ledger.position(card.image_id, card.class_name)
    assert studio.ledger.sources[place] == Source.ACCEPTED


def test_answer__unsure_leaves_this_runs_queue(studio: Studio) -> None:
    card = ask(studio.review).cards[0]
    give(studio, card, "unsure", 0)
    assert state_of(studio, card) == UNKNOWN
    assert card.cell not in cells(ask(studio.review, want=EVERYTHING, **ALL_OPEN))
    assert cells(ask(studio.review, holder="other", order="random", scope="unsure")) == [card.cell]


def test_answer__skipped_cells_still_wait_and_come_back_on_demand(studio: Studio) -> None:
    first = ask(studio.review)
    card = first.cards[0]
    give(studio, card, "skip", 0)
    after = ask(studio.review, want=EVERYTHING, **ALL_OPEN)
    assert (card.cell in cells(after), after.total) == (False, first.total)
    assert studio.review.take_again("ada") == 1
    assert card.cell in cells(ask(studio.review, want=EVERYTHING, **ALL_OPEN))


def test_answer__a_queue_of_skipped_cells_says_so(studio: Studio) -> None:
    filters = {"scope": "proposals", "class_name": studio.review.piles()[-1].class_name}
    for card in ask(studio.review, want=EVERYTHING, **filters).cards:
        give(studio, card, "skip", 0)
    batch = ask(studio.review, **filters)
    assert batch.empty is not None
    assert [step.action for step in batch.empty.steps] == ["take_again"]


def test_answer__a_skip_that_is_undone_and_redone(studio: Studio) -> None:
    card = ask(studio.review).cards[0]
    give(studio, card, "skip", 0)
    studio.review.undo("ada")
    assert card.cell in cells(ask(studio.review))
    studio.review.redo("ada")
    assert card.cell not in cells(ask(studio.review, want=EVERYTHING, **ALL_OPEN))


# undo and redo ------------------------------------------------------------------------------------


def test_undo__returns_the_very_card(studio: Studio) -> None:
    card = ask(studio.review).cards[0]
    give(studio, card, action_id="the-first-answer")
    reversal = studio.review.undo("ada", action_id="undo-the-first", target="the-first-answer")
    assert (reversal.cards, reversal.target) == ([card], "the-first-answer")
    assert state_of(studio, card) == UNKNOWN
    assert card.cell in cells(ask(studio.review, want=EVERYTHING, **ALL_OPEN))


def test_undo__of_an_action_that_wrote_nothing_is_nothing(studio: Studio) -> None:
    give(studio, ask(studio.review).cards[0])
    reversal = studio.review.undo("ada", target="never-arrived")
    assert (reversal.receipt.line, reversal.target, reversal.cards) == (None, "", [])
    assert len(studio.ledger.lines) == 1


def test_redo__names_the_action_and_its_cells_as_they_are_now(studio: Studio) -> None:
    card = ask(studio.review).cards[0]
    give(studio, card, action_id="the-first-answer")
    studio.review.undo("ada")
    reversal = studio.review.redo("ada")
    assert reversal.target == "the-first-answer"
    assert [(again.cell, again.state) for again in reversal.cards] == [(card.cell, 1)]


def test_undo__works_after_a_restart(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio()
    card = ask(studio.review).cards[0]
    give(studio, card, action_id="before-the-restart")
    root = studio.workspace.root
    studio.close()
    with Studio.open(root, who="ada") as again:
        assert again.review.undo("ada", target="before-the-restart").cards == [card]
        assert state_of(again, card) == UNKNOWN
        replayed = Ledger(again.table, read_journal(again.workspace.journal_file))
        np.testing.assert_array_equal(replayed.states, again.states)


def test_undo__a_page_of_tiles_is_one_undo(studio: Studio) -> None:
    cards = ask(studio.review, order="confident", sign="1", want=12).cards
    before = studio.states.copy()
    answers = ["reject" if place == 3 else "accept" for place in range(len(cards))]
    decisions = [
        Decision(card.image_id, card.class_name, card.claim * (1 if answer == "accept" else -1), answer)
        for card, answer in zip(cards, answers, strict=True)
    ]
    studio.ledger.decide(decisions, who="ada", origin="grid", run=1)
    assert (studio.states != before).sum() == len(cards) == 12
    assert studio.review.undo("ada").cards == cards
    np.testing.assert_array_equal(studio.states, before)


# conflicts ----------------------------------------------------------------------------------------


@pytest.fixture
def disputed(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio with a noisy run, which contradicts some known cells."""
    return open_studio(num_images=300, known_proportion=0.6, side=16, draw_every=300)


def conflicts(studio: Studio) -> list[Card]:
    return ask(studio.review, order="conflicts", scope="conflict", want=100).cards


def test_conflicts__are_ranked_and_say_who_says_what_is_known(disputed: Studio) -> None:
    current = disputed.proposed.current
    assert current is not None
    expected = np.flatnonzero(conflict_mask(disputed.states, current.scores, disputed.table.is_test))
    cards = conflicts(disputed)
    own = [card.score if card.state > 0 else 1 - card.score for card in cards if card.score is not None]
    assert len(expected) > 3
    assert sorted(card.cell for card in cards) == expected.tolist()
    assert own == sorted(own)
    first = cards[0]
    assert disputed.review.provenance(first.image_id, first.class_name).source == Source.IMPORTED
    receipt = give(disputed, first, state=-first.state, origin="conflicts")
    found = disputed.review.provenance(first.image_id, first.class_name)
    assert (found.source, found.line) == (Source.HUMAN, receipt.line)


def test_conflicts__dismiss_change_and_unsure_all_leave_the_queue(disputed: Studio) -> None:
    keep, change, unsure = conflicts(disputed)[:3]
    disputed.review.dismiss(keep.image_id, keep.class_name, who="ada")
    give(disputed, change, state=-change.state, origin="conflicts")
    give(disputed, unsure, "unsure", origin="conflicts")
    gone = {keep.cell, change.cell, unsure.cell}
    assert not gone & {card.cell for card in conflicts(disputed)}
    states = disputed.states.ravel()
    assert [states[card.cell] for card in (keep, change, unsure)] == [keep.state, -change.state, unsure.state]
    current = disputed.proposed.current
    assert current is not None
    assert not gone & set(np.flatnonzero(disputed.proposed.conflicts(current)).tolist())


def test_dismiss__comes_back_when_that_is_undone(disputed: Studio) -> None:
    card = conflicts(disputed)[0]
    disputed.review.dismiss(card.image_id, card.class_name, who="ada", action_id="dismiss-it")
    assert card.cell not in {other.cell for other in conflicts(disputed)}
    disputed.review.undo("ada", target="dismiss-it")
    assert card.cell in {other.cell for other in conflicts(disputed)}


def test_dismiss__lasts_over_a_restart(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=200, known_proportion=0.6, side=16, draw_every=200)
    card = conflicts(studio)[0]
    studio.review.dismiss(card.image_id, card.class_name, who="ada")
    root = studio.workspace.root
    studio.close()
    with Studio.open(root, who="ada") as again:
        assert card.cell not in {other.cell for other in conflicts(again)}


def test_dismiss__needs_a_known_cell(studio: Studio) -> None:
    card = ask(studio.review).cards[0]
    with pytest.raises(StudioError, match="no conflict"):
        studio.review.dismiss(card.image_id, card.class_name, who="ada")


# pages of tiles -----------------------------------------------------------------------------------


def test_next_page__is_of_the_largest_pile_and_moves_on_when_it_is_done(studio: Studio) -> None:
    review = studio.review
    largest = review.piles()[0]
    page = review.next_page(who="ada", holder="grid", want=EVERYTHING)
    assert (page.class_name, page.sign, len(page.batch.cards)) == (largest.class_name, largest.sign, largest.cells)
    review.confirm(cells(page.batch), sign=page.sign, who="ada")
    asked = {"class_name": page.class_name, "sign": page.sign}
    following = review.next_page(who="ada", holder="grid", **asked)
    assert (following.class_name, following.sign) == (page.class_name, -page.sign)
    assert following.batch.cards


def test_next_page__passes_over_what_was_left_undecided(studio: Studio) -> None:
    first = studio.review.next_page(who="ada", holder="grid", want=3)
    second = studio.review.next_page(who="ada", holder="grid", want=3, have=cells(first.batch))
    assert not set(cells(first.batch)) & set(cells(second.batch))
    assert studio.review.next_page(who="ada", holder="grid", want=3).batch.cards == first.batch.cards


def test_next_page__says_why_there_is_none(open_studio: Callable[..., Studio]) -> None:
    page = open_studio(runs=0).review.next_page(who="ada", holder="grid")
    assert page.batch.cards == []
    assert page.batch.empty is not None
    assert page.batch.empty.title == "No pseudo-labels yet"


def likeliest(studio: Studio, who: str = "ada", **options: Any) -> PilePage:
    return studio.review.likeliest_page(who=who, holder="grid", **{"want": 5, **options})


def test_likeliest_page__is_the_one_whose_chances_come_to_most(studio: Studio) -> None:
    current = studio.proposed.current
    assert current is not None
    is_open = (studio.states == UNKNOWN) & ~studio.table.is_test[:, np.newaxis]
    chances = np.where(is_open, current.scores, 0.0).astype(np.float64)
    sums = np.sort(chances, axis=0)[-5:].sum(axis=0)
    page = likeliest(studio)
    best = int(sums.argmax())
    assert (page.class_name, page.sign) == (studio.class_names[best], 1)
    scores = [card.score for card in page.batch.cards]
    top = np.sort(chances[:, best])[::-1][:5]
    assert scores == pytest.approx(top[top > 0.5], abs=1e-4)
    assert page.promise == pytest.approx(sum(top[top > 0.5]), abs=1e-3)


def test_likeliest_page__takes_absent_for_granted_where_none_is_likelier_than_not(studio: Studio) -> None:
    while (page := likeliest(studio, want=24)).sign == 1:
        studio.review.confirm(cells(page.batch), sign=1, who="ada")
    scores = [card.score or 0.0 for card in page.batch.cards]
    assert page.sign == -1
    assert scores == sorted(scores, reverse=True)
    assert 0.5 > scores[0] > 0.0


def test_likeliest_page__never_promises_more_than_it_has_cells(studio: Studio) -> None:
    while (page := likeliest(studio, want=2)).sign == 1:
        assert page.promise is not None
        assert page.promise <= len(page.batch.cards)
        studio.review.confirm(cells(page.batch), sign=1, who="ada")
    assert studio.proposed.pages.correction(1).max() > 1.0


def test_likeliest_page__of_a_split_has_only_its_images(studio: Studio) -> None:
    rows = {studio.dataset.row_of(card.image_id) for card in likeliest(studio, split="val").batch.cards}
    assert {studio.table.splits[row] for row in rows} == {"val"}


def test_likeliest_page__that_brought_nothing_promises_less(studio: Studio) -> None:
    first = likeliest(studio)
    before = studio.proposed.promises(first_scores(studio), 5)
    column = studio.class_names.index(first.class_name)
    receipt = studio.review.confirm(cells(first.batch), sign=1, wrong=cells(first.batch), who="ada")
    assert receipt.line is not None
    after = studio.proposed.promises(first_scores(studio), 5)
    assert after[column] < before[column] / 2
    assert np.delete(after, column) == pytest.approx(np.delete(before, column))
    assert likeliest(studio).class_name != first.class_name


def first_scores(studio: Studio) -> RunScores:
    scores = studio.proposed.scores(1)
    assert scores is not None
    return scores


def test_likeliest_page__has_no_cell_that_others_hold_or_that_was_skipped_or_passed_over(studio: Studio) -> None:
    mine = likeliest(studio)
    other = likeliest(studio, "ben", class_name=mine.class_name)
    assert not set(cells(mine.batch)) & set(cells(other.batch))
    assert likeliest(studio).batch.cards == mine.batch.cards
    give(studio, mine.batch.cards[0], "skip")
    passed = cells(mine.batch)[1:]
    following = likeliest(studio, have=passed, class_name=mine.class_name)
    assert not {*cells(mine.batch), *cells(other.batch)} & set(cells(following.batch))
    everything = [card.cell for card in ask(studio.review, who="eve", want=EVERYTHING).cards]
    empty = likeliest(studio, have=passed, class_name=mine.class_name).batch.empty
    assert everything
    assert empty is not None
    assert empty.title == "No likely one is free"


def test_likeliest_page__ends_in_the_audits(studio: Studio) -> None:
    for _ in range(EVERYTHING):
        page = likeliest(studio, want=24)
        if not page.batch.cards:
            break
        studio.review.confirm(cells(page.batch), sign=-1, who="ada")
    assert page.batch.empty is not None
    assert page.batch.empty.title == "Nothing more is likely here"
    assert page.batch.empty.steps[0].filters == {"screen": "audits"}
    assert studio.proposed.promises(first_scores(studio)).max() < WORTH_A_PAGE


def test_likeliest_page__needs_a_run_a_class_and_a_size(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=0)
    empty = likeliest(studio).batch.empty
    assert empty is not None
    assert (empty.title, empty.steps[0].tab) == ("No run has finished", "train")
    with pytest.raises(StudioError, match="no class 'magic'"):
        likeliest(studio, class_name="magic")
    with pytest.raises(StudioError, match="0 cells"):
        likeliest(studio, want=0)


def test_confirm__sets_what_the_run_does_not_claim(studio: Studio) -> None:
    card = next(card for card in ask(studio.review, want=EVERYTHING).cards if not card.claim)
    receipt = studio.review.confirm([card.cell], sign=-1, wrong=[card.cell], who="ada")
    assert receipt.line is not None
    (change,) = receipt.line.cells
    assert (change.answer, change.after.state, change.after.source) == ("set", 1, Source.HUMAN)


def test_page_again__is_of_pseudo_labels_only_where_all_claim_the_sign(studio: Studio) -> None:
    pile = studio.review.next_page(who="ada", holder="grid", want=3)
    assert page_again(pile.batch.cards, pile.sign).promise is None
    cards = [card for card in ask(studio.review, want=EVERYTHING).cards if not card.claim][:2]
    page = page_again(cards, -1)
    assert page.promise == pytest.approx(sum(card.score or 0.0 for card in cards))
    assert (page.class_name, page.sign, page.batch.total) == (cards[0].class_name, -1, 2)


def test_confirm__accepts_all_but_the_exceptions_in_one_line(studio: Studio) -> None:
    page = studio.review.next_page(who="ada", holder="grid", want=6)
    every = cells(page.batch)
    receipt = studio.review.confirm(
        every, sign=page.sign, wrong=every[:1], unsure=every[1:2], who="ada", action_id="the-page", ms=900
    )
    assert receipt.line is not None
    answers = [(cell.answer, cell.after.state) for cell in receipt.line.cells]
    assert answers == [("reject", -page.sign), ("unsure", 0), *[("accept", page.sign)] * (len(every) - 2)]
    assert receipt.line.extra == {"tiles": len(every), "sign": page.sign, "ms": 900}
    again = studio.review.confirm(every, sign=page.sign, who="ada", action_id="the-page")
    assert again.repeated
    reversal = studio.review.undo("ada")
    assert reversal.cards == page.batch.cards


def test_confirm__never_changes_a_known_cell(studio: Studio) -> None:
    page = studio.review.next_page(who="ada", holder="grid", want=3)
    card = page.batch.cards[0]
    give(studio, card, state=-page.sign, who="ben")
    receipt = studio.review.confirm(cells(page.batch), sign=page.sign, who="ada")
    assert [one.image_id for one in receipt.skipped] == [card.image_id]
    assert state_of(studio, card) == -page.sign


@pytest.mark.parametrize("cell", [-1, 24 * 6])
def test_confirm__refuses_what_is_no_cell(studio: Studio, cell: int) -> None:
    with pytest.raises(StudioError, match="no such cell"):
        studio.review.confirm([cell], sign=1, who="ada")
