from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.image_query import ImageQuery
from logicmix_studio.explore.images import VIEWS_KEPT
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Decision, save_table
from logicmix_studio.studio import Studio


def _cell(studio: Studio, state: int, proposal: int | None = None, at: int = 0) -> tuple[str, str]:
    """Return a cell of a state and, if named, a pseudo-label."""
    wanted = studio.states == state
    if proposal is not None:
        wanted &= studio.proposed.array() == proposal
    row, column = np.argwhere(wanted)[at]
    return studio.image_ids[row], studio.class_names[column]


def _state(studio: Studio, image_id: str, class_name: str) -> int:
    return studio.ledger.value(*studio.ledger.position(image_id, class_name)).state


class TestViews:
    def test_a_view_stays_while_one_labels_in_it(self, studio: Studio) -> None:
        query = ImageQuery(class_name="circle", state="open")
        before = studio.images.find(query)
        studio.decide(studio.image_ids[before.rows[0]], "circle", 1)
        again = studio.images.find(query, seq=before.seq)
        assert again.rows.tolist() == before.rows.tolist()
        assert studio.images.tiles(again)[0].cells[0].state == 1
        assert len(studio.images.find(query).rows) == len(before.rows) - 1

    def test_a_forgotten_view_is_found_anew(self, studio: Studio) -> None:
        query = ImageQuery(split="test")
        seq = studio.images.find(query).seq
        for number in range(VIEWS_KEPT):
            studio.images.find(ImageQuery(path=str(number)))
        assert studio.images.find(query, seq=seq).rows.tolist() == [11, 23]

    def test_people_of_an_earlier_day_are_known_at_once(self, studio: Studio) -> None:
        studio.ledger.decide([Decision(studio.image_ids[0], "circle", 1)], who="grace", origin="browse")
        assert studio.images.people == ["grace"]


class TestTiles:
    def test_a_page(self, studio: Studio) -> None:
        found = studio.images.find(ImageQuery())
        assert [tile.image_id for tile in studio.images.tiles(found, 20, 60)] == list(studio.image_ids[20:])

    def test_the_class_that_was_asked_for_comes_first_then_what_is_there(self, studio: Studio) -> None:
        tile = studio.images.tiles(studio.images.find(ImageQuery(class_name="star")), 3, 1)[0]
        array, current = studio.proposed.array(), studio.proposed.current
        assert current is not None
        assert tile.cells[0].class_name == "star"
        rest = [(cell.kind, cell.class_name) for cell in tile.cells[1:]]
        positive = [("positive", studio.class_names[c]) for c in np.flatnonzero(studio.states[3] == 1) if c != 3]
        proposed = sorted(np.flatnonzero(array[3] == 1), key=lambda c: -float(current.scores[3, c]))
        assert rest == positive + [("pseudo", studio.class_names[c]) for c in proposed if c != 3]
        assert tile.num_known == np.count_nonzero(studio.states[3])

    def test_many_positives_are_counted(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(class_names=[f"class {i}" for i in range(40)], known_proportion=1.0)
        tile = studio.images.tiles(studio.images.find(ImageQuery()), 0, 1)[0]
        assert len(tile.cells) == 6
        assert len(tile.cells) + tile.num_more == np.count_nonzero(studio.states[0] == 1)


class TestImage:
    def test_every_cell_is_there(self, studio: Studio) -> None:
        image = studio.images.image(studio.image_ids[3])
        cells = {cell.class_name: cell for cell in image.cells}
        assert [cells[name].state for name in studio.class_names] == studio.states[3].tolist()
        assert [cells[name].proposal for name in studio.class_names] == studio.proposed.array()[3].tolist()
        assert image.size == (64, 64)
        assert {cell.truth for cell in image.cells} == {None}

    def test_what_is_there_or_open_comes_first_and_what_is_absent_last(
        self, open_studio: Callable[..., Studio]
    ) -> None:
        studio = open_studio(class_names=[f"class {i}" for i in range(30)])
        cells = studio.images.image(studio.image_ids[0]).cells
        order = ["positive", "unknown", "pseudo", "negative"]
        kinds = [order.index(cell.kind) for cell in cells]
        assert kinds == sorted(kinds)
        assert set(kinds) == {0, 1, 2, 3}
        sure = [max(cell.score or 0, 1 - (cell.score or 0)) for cell in cells if cell.kind == "pseudo"]
        assert sure == sorted(sure, reverse=True)

    def test_the_threshold_that_a_score_reaches(self, studio: Studio) -> None:
        for cell in studio.images.image(studio.image_ids[0]).cells:
            assert cell.score is not None
            assert cell.reached == (cell.score >= 0.95) - (1 - cell.score >= 0.95)

    def test_a_missing_file_has_no_size(self, studio: Studio) -> None:
        studio.image_path(studio.image_ids[0]).unlink()
        assert studio.images.image(studio.image_ids[0]).size is None

    def test_in_a_trial_the_truth_is_named(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(trial=True)
        assert studio.complete is not None
        truth = {cell.class_name: cell.truth for cell in studio.images.image(studio.image_ids[0]).cells}
        assert [truth[name] for name in studio.class_names] == studio.complete[0].tolist()

    def test_an_unknown_image_is_named(self, studio: Studio) -> None:
        with pytest.raises(StudioError, match="no image"):
            studio.images.image("/etc/passwd")


class TestExplain:
    def test_before_the_first_run(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(runs=0)
        words = studio.images.explain(*_cell(studio, 0))
        assert words == "Nobody has looked at it. No run has finished yet."

    def test_after_it(self, studio: Studio) -> None:
        assert "suggests positive" in studio.images.explain(*_cell(studio, 0, 1))
        assert "Known from the import. Run 1 gives it" in studio.images.explain(*_cell(studio, 1))
        image, name = _cell(studio, 0, 1)
        studio.images.answer(image, name, 0, who="ada")
        assert studio.images.explain(image, name).startswith("Somebody was unsure about it. Run 1 gives it")
        studio.images.answer(image, name, 1, who="ada")
        assert studio.images.explain(image, name).startswith("A person said so.")

    def test_a_test_image_is_never_proposed(self, studio: Studio) -> None:
        column = int(np.flatnonzero(studio.states[11] == 0)[0])
        words = studio.images.explain(studio.image_ids[11], studio.class_names[column])
        assert words.endswith("test images get no pseudo-labels.")

    def test_an_image_that_came_after_the_run_was_seen_by_no_model(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio()
        table, root = studio.table, studio.workspace.root
        paths, states = [*table.paths, "new.jpg"], np.vstack([table.states, np.zeros((1, 6), np.int8)])
        bigger = LabelTable.build(paths, table.class_names, states, [*table.splits, "train"])
        save_table(studio.workspace.labels_file, bigger)
        studio.close()
        studio = Studio.open(root, read_only=True)
        new = studio.image_ids[-1]
        assert studio.images.explain(new, "star").endswith("Run 1 says nothing of it.")
        assert {cell.score for cell in studio.images.image(new).cells} == {None}


class TestAnswer:
    def test_what_an_answer_means(self, studio: Studio) -> None:
        cases = [
            (_cell(studio, 0, 1), 1, "accept"),
            (_cell(studio, 0, 1, 1), -1, "reject"),
            (_cell(studio, 0, -1), 0, "unsure"),
            (_cell(studio, 0, 0), 0, "unsure"),
            (_cell(studio, 0, 0, 1), 1, "set"),
            (_cell(studio, 1), -1, "set"),
            (_cell(studio, -1), 0, "set"),
        ]
        for (image, name), state, answer in cases:
            line = studio.images.answer(image, name, state, who="ada", ms=812.4).line
            assert line is not None
            assert (line.cells[0].answer, line.origin, line.extra["ms"]) == (answer, "browse", 812)
            assert _state(studio, image, name) == state

    def test_the_same_action_twice_is_one(self, studio: Studio) -> None:
        image, name = _cell(studio, 0, 1)
        first = studio.images.answer(image, name, 1, who="ada", seen_state=0, action_id="action-1")
        again = studio.images.answer(image, name, 1, who="ada", seen_state=0, action_id="action-1")
        assert again.repeated
        assert again.line == first.line
        assert studio.ledger.seq == 1

    def test_a_cell_that_was_answered_meanwhile_is_left_out(self, studio: Studio) -> None:
        image, name = _cell(studio, 0)
        studio.decide(image, name, -1)
        receipt = studio.images.answer(image, name, 1, who="grace", seen_state=0)
        assert receipt.line is None
        assert [(one.image_id, one.class_name) for one in receipt.skipped] == [(image, name)]
        assert _state(studio, image, name) == -1

    def test_a_known_cell_is_changed_by_whoever_saw_it(self, studio: Studio) -> None:
        image, name = _cell(studio, 1)
        assert studio.images.answer(image, name, -1, who="ada", seen_state=1).line is not None
        assert _state(studio, image, name) == -1


class TestHistory:
    def test_every_line_of_a_cell_the_latest_first(self, studio: Studio) -> None:
        image, name = _cell(studio, 0, 1)
        studio.images.answer(image, name, 1, who="ada")
        studio.ledger.undo("ada")
        told = studio.images.history(image, name)
        assert told[["what", "state", "undone"]].to_numpy().tolist() == [
            ["took back line 1: unknown", "unknown", False],
            ["accepted: positive", "positive", True],
        ]

    def test_an_untouched_cell_has_none(self, studio: Studio) -> None:
        assert studio.images.history(*_cell(studio, 0)).empty


class TestMany:
    def test_known_cells_are_counted_and_left_alone(self, studio: Studio) -> None:
        images, column = studio.image_ids, studio.states[:, 0].copy()
        plan = studio.images.plan_set(images, "circle", 1)
        assert [len(plan.unknown), len(plan.same), len(plan.known)] == [
            int((column == state).sum()) for state in (0, 1, -1)
        ]
        done, receipt = studio.images.set_cells(plan, who="ada")
        assert receipt.line is not None
        assert len(receipt.line.cells) == len(done.unknown) == len(plan.unknown)
        assert studio.states[:, 0].tolist() == np.where(column == 0, 1, column).tolist()

    def test_words(self, studio: Studio) -> None:
        plan = studio.images.plan_set(studio.image_ids, "circle", 1)
        words = f"24 selected: {len(plan.unknown)} unknown will be set to positive, {len(plan.known)} known already, "
        assert plan.words == words + f"{len(plan.same)} positive already"

    def test_overwrite_changes_them_in_one_action(self, studio: Studio) -> None:
        before = studio.states.copy()
        plan = studio.images.plan_set(studio.image_ids, "circle", 1)
        studio.images.set_cells(plan, who="ada", overwrite=True)
        assert (studio.states[:, 0] == 1).all()
        studio.undo()
        assert (studio.states == before).all()
        studio.redo()
        assert (studio.states[:, 0] == 1).all()

    def test_a_stale_page_overwrites_nothing_answered_since(self, studio: Studio) -> None:
        found = studio.images.find(ImageQuery(class_name="circle", state="open"))
        images = [studio.image_ids[row] for row in found.rows]
        studio.decide(images[0], "circle", -1)
        plan = studio.images.plan_set(images, "circle", 1, seen=found.seq)
        assert plan.changed == [images[0]]
        studio.images.set_cells(plan, who="grace", overwrite=True)
        assert _state(studio, images[0], "circle") == -1
        assert _state(studio, images[1], "circle") == 1

    def test_an_answer_between_question_and_yes_stays(self, studio: Studio) -> None:
        images = [studio.image_ids[row] for row in np.flatnonzero(studio.states[:, 0] == 0)[:3]]
        plan = studio.images.plan_set(images, "circle", 1)
        studio.decide(images[2], "circle", -1)
        done, _ = studio.images.set_cells(plan, who="grace", overwrite=True)
        assert done.changed == [images[2]]
        assert _state(studio, images[2], "circle") == -1

    def test_another_number_than_was_told_is_refused(self, studio: Studio) -> None:
        images = [studio.image_ids[row] for row in np.flatnonzero(studio.states[:, 0] == 0)[:3]]
        plan = studio.images.plan_set(images, "circle", 1)
        studio.decide(images[2], "circle", -1)
        with pytest.raises(StudioError, match="2 cells would be written, 3 were named"):
            studio.images.set_cells(plan, who="grace", expected=3)
        assert studio.ledger.seq == 1
        studio.images.set_cells(plan, who="grace", expected=2, action_id="x")
        assert studio.images.set_cells(plan, who="grace", expected=2, action_id="x")[1].repeated

    def test_the_number_of_many_cells_must_be_named(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio("many", num_images=101, known_proportion=0.0, runs=0, side=1)
        plan = studio.images.plan_set(studio.image_ids, "circle", 1)
        with pytest.raises(StudioError, match="101 cells would be written, more than 100"):
            studio.images.set_cells(plan, who="ada")
        receipt = studio.images.set_cells(plan, who="ada", expected=101)[1]
        assert receipt.line is not None
        assert len(receipt.line.cells) == 101

    def test_unknown_again_takes_answers_away_only_when_told_to(self, studio: Studio) -> None:
        known = np.flatnonzero(studio.states[:, 0])
        plan = studio.images.plan_set([studio.image_ids[row] for row in known], "circle", 0)
        assert studio.images.set_cells(plan, who="ada")[1].line is None
        studio.images.set_cells(plan, who="ada", overwrite=True)
        assert not studio.states[:, 0].any()

    def test_an_image_named_twice_is_one(self, studio: Studio) -> None:
        image, name = _cell(studio, 0)
        assert studio.images.plan_set([image, image], name, 1).unknown == [image]

    @pytest.mark.parametrize(
        ("image", "name", "state", "message"),
        [("f" * 24, "circle", 1, "no image"), ("", "unicorn", 1, "no class"), ("", "circle", 7, "state of 'circle'")],
    )
    def test_what_makes_no_sense_changes_nothing(
        self, studio: Studio, image: str, name: str, state: int, message: str
    ) -> None:
        with pytest.raises(StudioError, match=message):
            studio.images.set_cells(
                studio.images.plan_set([image or studio.image_ids[0]], name, state), who="ada", overwrite=True
            )
        assert studio.ledger.seq == 0
