from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.labelling import COMPLETE, INCOMPLETE, ORDERS, PASSED, LabelBatch
from logicmix_studio.store import Decision, Source
from logicmix_studio.studio import Studio

NAMES = ("circle", "square", "triangle", "star", "cross", "ring")


@pytest.fixture
def bare(open_studio: Callable[..., Studio]) -> Studio:
    """24 images of which nothing is known and that no run has seen; images 11 and 23 are of split test."""
    return open_studio(known_proportion=0, runs=0)


def rows(studio: Studio, batch: LabelBatch) -> list[int]:
    return [studio.dataset.row_of(image.image_id) for image in batch.images]


def states(studio: Studio, row: int) -> list[int]:
    return [int(state) for state in studio.states[row]]


class TestNext:
    def test_in_order_with_split_test_at_the_end(self, bare: Studio) -> None:
        batch = bare.labelling.next(who="ada", want=30)
        assert rows(bare, batch) == [*range(11), *range(12, 23), 11, 23]
        assert (batch.left, batch.left_test, batch.complete, batch.note, batch.empty) == (24, 2, 0, "", "")

    def test_at_random_is_the_same_order_every_time(self, bare: Studio) -> None:
        first = rows(bare, bare.labelling.next("at random", who="ada", want=30))
        assert first == rows(bare, bare.labelling.next("at random", who="ada", want=30))
        assert first != [*range(11), *range(12, 23), 11, 23]
        assert sorted(first) == list(range(24))

    def test_most_uncertain_begins_where_the_run_would_be_wrong_most_often(self, studio: Studio) -> None:
        run = studio.proposed.current
        assert run is not None
        scores = run.scores.astype(np.float64)
        wrong = (np.minimum(scores, 1 - scores) * (studio.states == 0)).sum(axis=1)
        found = rows(studio, studio.labelling.next("most uncertain", who="ada", want=10))
        assert found[0] == max(set(range(24)) - {11, 23}, key=lambda row: wrong[row])
        assert (np.diff(wrong[found]) < 0.01).all()

    def test_most_uncertain_without_a_run_says_so(self, bare: Studio) -> None:
        batch = bare.labelling.next("most uncertain", who="ada", want=2)
        assert rows(bare, batch) == [0, 1]
        assert "No run has scored" in batch.note

    def test_like_these_finds_images_of_a_class_first(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(num_images=60, known_proportion=0.2, trial=True)
        assert studio.complete is not None
        column = studio.dataset.column_of("star")
        is_open = (studio.states[:, column] == 0) & ~studio.table.is_test
        found = rows(studio, studio.labelling.next("like these", "star", who="ada", want=8))
        assert is_open[found].all()
        share = (studio.complete[is_open, column] == 1).mean()
        assert (studio.complete[found, column] == 1).mean() > 2 * share

    def test_like_these_follows_what_is_found(self, studio: Studio) -> None:
        before = rows(studio, studio.labelling.next("like these", "star", who="ada", want=30))
        studio.decide(studio.image_ids[before[0]], "star", 1)
        after = rows(studio, studio.labelling.next("like these", "star", who="ada", want=30))
        assert after.index(before[0]) > 5

    def test_like_these_says_why_it_cannot(self, bare: Studio) -> None:
        assert "known to show star yet" in bare.labelling.next("like these", "star", who="ada").note
        bare.decide(bare.image_ids[0], "star", 1)
        assert "No run has looked" in bare.labelling.next("like these", "star", who="ada").note

    def test_nothing_known_leaves_out_what_somebody_began(self, bare: Studio) -> None:
        bare.decide(bare.image_ids[0], "star", 1)
        assert rows(bare, bare.labelling.next(nothing_known=True, who="ada", want=2)) == [1, 2]

    @pytest.mark.parametrize("order", ORDERS)
    def test_complete_images_are_left_out_in_every_order(self, studio: Studio, order: str) -> None:
        for row in range(3):
            studio.labelling.label(studio.image_ids[row], ["star"], who="ada")
        batch = studio.labelling.next(order, "star", who="ada", want=30)
        assert not {0, 1, 2} & set(rows(studio, batch))
        assert (batch.left, batch.complete) == (21, 3)

    def test_two_people_and_two_windows_get_other_images(self, bare: Studio) -> None:
        ada = rows(bare, bare.labelling.next(who="ada", holder="one", want=5))
        window = rows(bare, bare.labelling.next(who="ada", holder="two", want=5))
        ben = rows(bare, bare.labelling.next(who="ben", want=5))
        assert len({*ada, *window, *ben}) == 15

    def test_what_the_screen_no_longer_has_is_given_back(self, bare: Studio) -> None:
        first = bare.labelling.next(who="ada", want=3).images
        again = bare.labelling.next(who="ada", want=3, have=[first[2].image_id])
        assert rows(bare, again) == [0, 1, 3]

    def test_an_image_that_somebody_else_holds_by_now_is_lost(self, bare: Studio) -> None:
        taken = bare.labelling.next(who="ben", want=1).images[0].image_id
        assert bare.labelling.next(who="ada", have=[taken]).lost == [taken]

    def test_skipped_images_come_again_only_when_asked_for(self, bare: Studio) -> None:
        bare.labelling.skip(bare.image_ids[0], "ada")
        batch = bare.labelling.next(who="ada", want=1)
        assert (rows(bare, batch), batch.passed, batch.left) == ([1], 1, 23)
        assert rows(bare, bare.labelling.next(who="ben", want=1)) == [0]
        assert bare.ledger.seq == 0
        bare.labelling.next(who="ben", want=0)
        assert rows(bare, bare.labelling.next(who="ada", want=1, again=True)) == [0]

    def test_it_says_why_nothing_comes(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(num_images=1, known_proportion=0, runs=0)
        held = studio.labelling.next(who="ben")
        assert "other people's screens: 1" in studio.labelling.next(who="ada").empty
        studio.labelling.skip(held.images[0].image_id, "ada")
        assert studio.labelling.next(who="ada").empty == PASSED
        studio.decide(held.images[0].image_id, "star", 1)
        assert studio.labelling.next(nothing_known=True, who="ada").empty == INCOMPLETE
        studio.labelling.label(held.images[0].image_id, [], who="ada")
        assert studio.labelling.next(who="ada").empty == COMPLETE

    def test_an_image_comes_with_its_states_suggestions_and_scores(self, studio: Studio) -> None:
        image = studio.labelling.next(who="ada", want=1).images[0]
        array, run = studio.proposed.array(), studio.proposed.current
        assert run is not None
        assert list(image.states.values()) == states(studio, 0)
        assert image.claims == {name: int(array[0, i]) for i, name in enumerate(NAMES) if array[0, i]}
        assert image.claims
        assert image.scores["ring"] == round(float(run.scores[0, 5]), 4)

    def test_split_test_shows_no_suggestion(self, studio: Studio) -> None:
        image = next(one for one in studio.labelling.next(who="ada", want=30).images if one.split == "test")
        assert (image.claims, image.scores) == ({}, {})

    def test_unknown_orders_and_classes_are_refused(self, bare: Studio) -> None:
        with pytest.raises(StudioError, match="unknown order 'best'"):
            bare.labelling.next("best", who="ada")
        with pytest.raises(StudioError, match="no class 'zebra'"):
            bare.labelling.next("like these", "zebra", who="ada")
        with pytest.raises(StudioError, match="no class ''"):
            bare.labelling.next("like these", who="ada")


class TestLabel:
    def test_the_others_are_absent(self, bare: Studio) -> None:
        receipt = bare.labelling.label(bare.image_ids[0], ["square", "ring"], who="ada", ms=900)
        assert states(bare, 0) == [-1, 1, -1, -1, -1, 1]
        line = receipt.line
        assert line is not None
        assert (bare.ledger.seq, line.origin, line.who, len(line.cells)) == (1, "label", "ada", 6)
        assert line.extra == {"image": bare.image_ids[0], "rest": "absent", "filled": [], "ms": 900}

    def test_the_others_stay_unknown_and_the_image_was_seen(self, bare: Studio) -> None:
        bare.labelling.label(bare.image_ids[0], ["square"], "unknown", who="ada", absent=["ring"])
        assert states(bare, 0) == [0, 1, 0, 0, 0, -1]
        bare.labelling.label(bare.image_ids[1], [], "unknown", who="ada")
        assert bare.ledger.seq == 2
        assert rows(bare, bare.labelling.next(who="ada", want=1)) == [2]
        assert rows(bare, bare.labelling.next(who="ben", want=1)) == [0]

    def test_undo_takes_the_image_back_and_redo_writes_it_again(self, bare: Studio) -> None:
        line = bare.labelling.label(bare.image_ids[0], ["square"], who="ada").line
        bare.labelling.label(bare.image_ids[1], [], "unknown", who="ada")
        bare.undo()
        bare.undo()
        assert not bare.states.any()
        assert rows(bare, bare.labelling.next(who="ada", want=2)) == [0, 1]
        assert line is not None
        again = bare.labelling.image_of(line)
        assert again is not None
        assert again.image_id == bare.image_ids[0]
        bare.redo()
        assert states(bare, 0) == [-1, 1, -1, -1, -1, -1]

    def test_known_cells_are_left_alone_unless_they_are_changed_deliberately(self, bare: Studio) -> None:
        bare.ledger.decide(
            [Decision(bare.image_ids[0], "star", 1), Decision(bare.image_ids[0], "ring", -1)],
            who="ben",
            origin="browse",
        )
        receipt = bare.labelling.label(bare.image_ids[0], ["ring"], who="ada", absent=["star"])
        assert states(bare, 0) == [-1, -1, -1, 1, -1, -1]
        assert [decision.class_name for decision in receipt.skipped] == ["star", "ring"]
        changed = bare.labelling.label(bare.image_ids[0], ["ring"], who="ada", changed=["ring"])
        assert changed.skipped == ()
        assert states(bare, 0) == [-1, -1, -1, 1, -1, 1]

    def test_nothing_new_writes_nothing(self, bare: Studio) -> None:
        bare.labelling.label(bare.image_ids[0], [], who="ada")
        assert bare.labelling.label(bare.image_ids[0], [], who="ada").line is None
        assert bare.ledger.seq == 1

    def test_the_same_action_twice_is_one(self, bare: Studio) -> None:
        for _ in range(2):
            receipt = bare.labelling.label(bare.image_ids[0], ["ring"], who="ada", action_id="one")
        assert (bare.ledger.seq, receipt.repeated, receipt.skipped) == (1, True, ())

    def test_the_journal_keeps_what_pseudo_labels_filled_in(self, studio: Studio) -> None:
        row = next(row for row in range(24) if (studio.proposed.array()[row] == 1).sum() > 1)
        image = studio.labelling.image_of(
            studio.labelling.label(studio.image_ids[row], [], "unknown", who="ada").line  # type: ignore[arg-type]
        )
        assert image is not None
        kept, other = [name for name, claim in image.claims.items() if claim == 1][:2]
        line = studio.labelling.label(image.image_id, [kept, other], who="ada", filled=[kept]).line
        assert line is not None
        assert line.extra["filled"] == [kept]
        assert line.run == 1
        cells = {cell.class_name: cell for cell in line.cells}
        assert (cells[kept].answer, cells[other].answer) == ("accept", "set")
        assert cells[kept].after.source == Source.ACCEPTED
        assert cells[kept].score == image.scores[kept]

    def test_mistakes_are_refused(self, bare: Studio) -> None:
        label, image = bare.labelling.label, bare.image_ids[0]
        with pytest.raises(StudioError, match="unknown rest 'maybe'"):
            label(image, [], "maybe", who="ada")
        with pytest.raises(StudioError, match="'ring' cannot be both"):
            label(image, ["ring"], who="ada", absent=["ring"])
        with pytest.raises(StudioError, match="no class 'zebra'"):
            label(image, ["zebra"], who="ada")
        with pytest.raises(StudioError, match="no image 'none'"):
            label("none", [], who="ada")
        assert bare.ledger.seq == 0


def test_after_a_restart_it_knows_what_was_labelled_last_and_what_was_left_unknown(
    open_studio: Callable[..., Studio], bare: Studio
) -> None:
    for row in range(12):
        bare.labelling.label(bare.image_ids[row], [], "unknown" if row == 3 else "absent", who="ada")
    bare.undo()
    root = bare.workspace.root
    bare.close()
    with Studio.open(root, who="ada") as again:
        assert rows(again, again.labelling.next(who="ada", want=2)) == [12, 13]
        recent = [again.dataset.row_of(image.image_id) for image in again.labelling.recent("ada")]
        assert recent == list(range(1, 11))
        assert again.labelling.recent("ben") == []


def test_what_a_class_means(bare: Studio) -> None:
    assert bare.labelling.about("ring")[0] == ""
    bare.labelling.describe("ring", " A circle with a hole. ")
    assert bare.labelling.about("ring")[0] == "A circle with a hole."
    bare.labelling.describe("ring", "")
    assert bare.settings.get("descriptions") == {}
    with pytest.raises(StudioError, match="no class 'zebra'"):
        bare.labelling.describe("zebra", "striped")


def test_examples_show_little_else(bare: Studio) -> None:
    for row, present in enumerate(
        (["ring", "star", "cross"], ["ring"], ["star"], ["ring", "star"], ["ring", *NAMES[:4]])
    ):
        bare.labelling.label(bare.image_ids[row], present, who="ada")
    assert [bare.dataset.row_of(one) for one in bare.labelling.about("ring")[1]] == [1, 3, 0]
    assert bare.labelling.about("cross")[1] == [bare.image_ids[0]]
    assert bare.labelling.about("circle", 0)[1] == []


def test_an_empty_data_set_waits_for_nothing(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(class_names=(), runs=0)
    assert studio.labelling.next(who="ada").images == []
    assert studio.labelling.next(nothing_known=True, who="ada").empty == COMPLETE
