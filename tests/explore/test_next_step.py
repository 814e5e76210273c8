from __future__ import annotations

from collections.abc import Callable

import numpy as np

from logicmix_studio.explore.next_step import ENOUGH_CONFLICTS, ENOUGH_LOOKED_AT, Step
from logicmix_studio.store import Decision
from logicmix_studio.studio import Studio


def keys(studio: Studio) -> list[str]:
    return [step.key.split(":")[0] for step in studio.overview.next_steps()]


def step(studio: Studio, key: str) -> Step:
    return next(step for step in studio.overview.next_steps() if step.key == key)


def answer(studio: Studio, rows: list[int], class_name: str, state: int) -> None:
    cells = [Decision(studio.image_ids[row], class_name, state) for row in rows]
    studio.ledger.decide(cells, who="ada", origin="browse")


def test_a_bare_folder_begins_in_label(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=0, known_proportion=0.0)
    first, *others = studio.overview.next_steps()
    assert (first.key, first.tab, others) == ("start", "label", [])
    answer(studio, [0], "circle", 1)
    assert studio.overview.next_steps()[0].title == "Label some more photographs"


def test_without_a_run_it_is_a_first_round(open_studio: Callable[..., Studio]) -> None:
    assert keys(open_studio(runs=0, num_images=100))[0] == "train"


def test_what_few_classes_can_learn_comes_before_a_first_round(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=0, known_proportion=0.0)
    answer(studio, [0, 1], "circle", 1)
    answer(studio, [2], "circle", -1)
    assert keys(studio)[:3] == ["no-positive", "no-negative", "train"]


def test_all_known_says_so(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=0, known_proportion=1.0)
    assert keys(studio) == ["complete", "train"]


def test_with_pseudo_labels_an_audit_is_due_before_review(studio: Studio) -> None:
    assert keys(studio).index("audit") < keys(studio).index("review")
    claim = studio.proposals()[0]
    studio.ledger.decide([Decision(claim.image_id, claim.class_name, claim.value)], who="ada", origin="audit", run=1)
    assert "audit" not in keys(studio)


def test_numbers_are_those_of_the_page_they_lead_to(studio: Studio) -> None:
    waiting = int(np.count_nonzero(studio.proposed.array()))
    assert step(studio, "review:1").title == f"Review {waiting:,} pseudo-labels"
    claim = studio.proposals()[0]
    studio.ledger.decide([Decision(claim.image_id, claim.class_name, 0, "unsure")], who="ada", origin="stream", run=1)
    assert step(studio, "review:1").title == f"Review {waiting - 1:,} pseudo-labels"


def test_likely_positives_are_looked_for_after_conflicts_and_before_an_audit(
    open_studio: Callable[..., Studio],
) -> None:
    studio = open_studio(num_images=200, known_proportion=0.5)
    found = [key for key in keys(studio) if key in ("conflicts", "likeliest", "audit", "review")]
    assert found == ["conflicts", "likeliest", "audit", "review"]
    current = studio.proposed.current
    assert current is not None
    is_open = (studio.states == 0) & ~studio.table.is_test[:, np.newaxis]
    expected = round(float(current.scores[is_open].sum(dtype=np.float64)))
    first = step(studio, "likeliest:1")
    assert first.title == f"Find the {expected} positives that the model expects"
    assert (first.tab, first.filters) == ("review", {"screen": "grid", "scope": "likeliest"})


def test_likely_positives_are_no_step_once_no_page_promises_any(studio: Studio) -> None:
    assert "likeliest" in keys(studio)
    while (page := studio.review.likeliest_page(who="ada", holder="grid")).batch.cards:
        studio.review.confirm([card.cell for card in page.batch.cards], sign=-1, who="ada")
    assert (studio.states == 0).any()
    assert "likeliest" not in keys(studio)


def test_dismissed_conflicts_are_left_out(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=200, runs=1, known_proportion=0.5)
    current = studio.proposed.current
    assert current is not None
    rows, columns = np.nonzero(studio.proposed.conflicts(current))
    assert len(rows) >= ENOUGH_CONFLICTS
    assert step(studio, "conflicts:1").title == f"Look at {len(rows):,} conflicts"
    assert step(studio, "conflicts:1").filters == {"screen": "conflicts"}
    kept = [
        Decision(studio.image_ids[row], studio.class_names[column], int(studio.states[row, column]))
        for row, column in zip(rows[: -ENOUGH_CONFLICTS + 1], columns, strict=False)
    ]
    studio.ledger.decide(kept, who="ada", origin="conflicts", run=1, always=True)
    assert "conflicts" not in keys(studio)


def test_many_new_answers_ask_for_a_new_round(studio: Studio) -> None:
    cells = [Decision(image, name, 1) for image in studio.image_ids for name in studio.class_names[:3]]
    studio.ledger.decide(cells, who="ada", origin="browse")
    first = studio.overview.next_steps()[0]
    assert (first.key, first.tab) == ("retrain:1", "train")
    assert "72 new answers" in first.title


def test_a_step_that_was_put_off_stays_away_until_it_is_brought_back(studio: Studio) -> None:
    first, second, *_ = studio.overview.next_steps()
    studio.overview.put_off_step(first.key)
    studio.overview.put_off_step(second.key)
    assert studio.overview.put_off() == [first.key, second.key]
    assert not {first.key, second.key} & {step.key for step in studio.overview.next_steps()}
    studio.reload()
    assert studio.overview.put_off() == [first.key, second.key]
    studio.overview.put_off_step("")
    assert studio.overview.next_steps()[:2] == [first, second]


class TestAClassWithoutAPositive:
    def make(self, open_studio: Callable[..., Studio], num_images: int = 120) -> Studio:
        studio = open_studio(num_images=num_images, known_proportion=1.0)
        studio.ledger.decide(
            [Decision(image, name, 0) for image in studio.image_ids for name in ("star", "ring")],
            who="ada",
            origin="python",
        )
        return studio

    def test_is_looked_for_where_the_model_finds_it_likeliest(self, open_studio: Callable[..., Studio]) -> None:
        found = step(self.make(open_studio), "no-positive:star")
        assert found.title == "2 classes have no known positive"
        assert found.filters == {"class_name": "star", "state": "open", "sort": "score-high"}

    def test_a_positive_of_split_test_is_none(self, open_studio: Callable[..., Studio]) -> None:
        studio = self.make(open_studio)
        answer(studio, [int(np.flatnonzero(studio.table.is_test)[0])], "star", 1)
        assert step(studio, "no-positive:star").tab == "browse"

    def test_the_one_looked_for_least_comes_first(self, open_studio: Callable[..., Studio]) -> None:
        studio = self.make(open_studio)
        answer(studio, [0, 1, 2], "star", -1)
        assert step(studio, "no-positive:ring").filters["class_name"] == "ring"

    def test_put_off_it_makes_way_for_the_next(self, open_studio: Callable[..., Studio]) -> None:
        studio = self.make(open_studio)
        studio.overview.put_off_step("no-positive:star")
        assert step(studio, "no-positive:ring").title == "Find a positive of “ring”"

    def test_an_absent_one_is_not_suggested_for_ever(self, open_studio: Callable[..., Studio]) -> None:
        studio = self.make(open_studio)
        current = studio.proposed.current
        assert current is not None
        usable = np.flatnonzero(~studio.table.is_test)
        likeliest = usable[np.argsort(-current.scores[usable, 3], kind="stable")]
        least_likely = [int(row) for row in likeliest[::-1][: ENOUGH_LOOKED_AT - 1]]
        answer(studio, least_likely, "star", -1)
        answer(studio, [int(row) for row in usable[:60]], "ring", -1)
        assert "no-positive:star" in [step.key for step in studio.overview.next_steps()]
        answer(studio, [int(row) for row in likeliest[:10]], "star", -1)
        found = [step.key for step in studio.overview.next_steps()]
        assert "no-positive:star" not in found
        assert step(studio, "absent:star").reason.startswith("59 photographs were looked at")

    def test_long_looking_does_not_end_it_while_the_best_candidates_are_open(
        self, open_studio: Callable[..., Studio]
    ) -> None:
        studio = self.make(open_studio)
        current = studio.proposed.current
        assert current is not None
        usable = np.flatnonzero(~studio.table.is_test)
        least_likely = usable[np.argsort(current.scores[usable, 3], kind="stable")][:ENOUGH_LOOKED_AT]
        answer(studio, [int(row) for row in least_likely], "star", -1)
        studio.overview.put_off_step("no-positive:ring")
        assert step(studio, "no-positive:star").reason.endswith("50 looked at so far, all “no”.")


def test_a_step_of_a_running_run(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=100)
    run = studio.jobs.list()[0]
    (run.folder / "state.json").write_text(
        '{"status": "queued", "message": "waiting for the device", "fraction": 0.0}', encoding="utf-8"
    )
    studio.registry.refresh()
    assert keys(studio)[0] == "watch"
    assert studio.overview.next_steps()[0].reason == "waiting for the device"


def test_an_image_without_classes_has_no_step(open_studio: Callable[..., Studio]) -> None:
    assert keys(open_studio(num_images=3, class_names=[], runs=0)) == []
