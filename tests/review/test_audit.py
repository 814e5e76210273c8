import dataclasses
import json

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.review import (
    BAND_EDGES,
    AuditPlan,
    AuditSpec,
    clopper_pearson,
    clopper_pearson_lower,
    open_cells,
    plan_audit,
    score_audit,
    sequential_lower,
)


def ids_of(view):
    return [f"{row:024x}" for row in range(len(view.states))]


def place(view, item):
    return int(item.image_id, 16), view.class_names.index(item.class_name)


def draw(view, **chosen):
    return plan_audit(view, ids_of(view), AuditSpec(**({"seed": 0} | chosen)))


@pytest.mark.parametrize("by_class", [False, True])
def test_every_item_is_an_open_cell_in_its_stratum(make_view, by_class):
    view = make_view(400, 4)
    plan = draw(view, per_stratum=7, by_class=by_class)
    is_open = open_cells(view.states, view.excluded_rows, view.unsure_run, view.run)
    claims = [item for item in plan.items if not item.is_planted]
    for item in claims:
        cell = place(view, item)
        score = float(view.scores[cell])
        low, high = BAND_EDGES[item.band], (*BAND_EDGES, 1.01)[item.band + 1]
        assert is_open[cell]
        assert item.sign == (1 if score > 0.5 else -1)
        assert item.confidence == pytest.approx(score if score > 0.5 else 1 - score)
        assert low <= item.confidence < high
    assert len({item.cell for item in plan.items}) == len(plan.items)
    drawn = {}
    for item in claims:
        drawn[plan.stratum_of(item)] = drawn.get(plan.stratum_of(item), 0) + 1
    expected = {(s.sign, s.band, s.class_name): min(7, s.population) for s in plan.strata}
    assert drawn == expected
    assert sum(s.population for s in plan.strata) == (is_open & (view.scores != 0.5)).sum()
    assert {s.class_name for s in plan.strata} == (set(view.class_names) if by_class else {""})


def test_items_are_shuffled_and_shown_blind(make_view):
    plan = draw(make_view(400, 4))
    signs = [item.sign for item in plan.items]
    assert signs not in (sorted(signs), sorted(signs, reverse=True))
    assert plan.shown() == [(item.image_id, item.class_name) for item in plan.items]
    planted = [index for index, item in enumerate(plan.items) if item.is_planted]
    assert planted not in (list(range(10)), list(range(len(plan.items) - 10, len(plan.items))))


def test_known_cells_are_planted_with_both_signs(make_view):
    view = make_view(400, 4)
    planted = [item for item in draw(view, num_known=9).items if item.is_planted]
    assert sorted(item.sign for item in planted) == [-1] * 5 + [1] * 4
    assert all(view.states[place(view, item)] == item.sign for item in planted)
    assert not any(view.excluded_rows[place(view, item)[0]] for item in planted)


def test_an_audit_can_be_narrowed(make_view):
    view = make_view(400, 4)
    plan = draw(view, class_names=("class 2",), lowest_confidence=0.95)
    assert {item.class_name for item in plan.items} == {"class 2"}
    assert {item.band for item in plan.items} == {-1, 4, 5, 6}


def test_the_seed_decides(view):
    assert draw(view, seed=3) == draw(view, seed=3)
    assert draw(view, seed=3).items != draw(view, seed=4).items


def test_every_cell_of_a_stratum_is_as_likely(make_view):
    view = make_view(60, 2)
    counts = {}
    for seed in range(400):
        for item in draw(view, seed=seed, per_stratum=3, num_known=0).items:
            counts.setdefault((item.sign, item.band), {}).setdefault(item.cell, 0)
            counts[item.sign, item.band][item.cell] += 1
    populations = {(s.sign, s.band): s.population for s in draw(view).strata}
    for stratum, cells in counts.items():
        expected = 400 * min(3, populations[stratum]) / populations[stratum]
        assert len(cells) == populations[stratum]
        assert max(abs(count - expected) for count in cells.values()) <= 5 * np.sqrt(expected)


def test_a_plan_goes_to_json_and_back(view):
    plan = draw(view)
    assert AuditPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_plan_that_cannot_be_read_is_refused(view):
    saved = draw(view).to_json()
    with pytest.raises(StudioError, match="'items'"):
        AuditPlan.from_json({key: value for key, value in saved.items() if key != "items"})
    with pytest.raises(StudioError, match="confidence bands"):
        AuditPlan.from_json(saved | {"edges": [0.5, 0.9]})


def test_an_audit_needs_scores_sizes_and_known_classes(view):
    bare = dataclasses.replace(view, scores=None)
    with pytest.raises(StudioError, match="no pseudo-labels"):
        draw(bare)
    with pytest.raises(StudioError, match="'unicorn'"):
        draw(view, class_names=("unicorn",))
    with pytest.raises(StudioError, match="0 cells a stratum"):
        AuditSpec(seed=0, per_stratum=0)


def test_an_audit_of_nothing_open_is_empty(view):
    full = dataclasses.replace(view, states=np.ones_like(view.states))
    plan = draw(full, num_known=0)
    assert plan.items == plan.strata == ()
    assert score_audit(plan, {}).is_complete


def answered(plan, wrong_every=0):
    """Answer every item rightly but each so-manieth claim."""
    claims = [item for item in plan.items if not item.is_planted]
    answers = {item.cell: item.sign for item in plan.items}
    if wrong_every:
        answers |= {item.cell: -item.sign for item in claims[::wrong_every]}
    return answers


def test_a_complete_audit_has_exact_bounds(make_view):
    plan = draw(make_view(400, 4))
    result = score_audit(plan, answered(plan, wrong_every=10))
    assert result.is_complete
    assert result.known_right == result.known_checked == 10
    assert sum(r.checked for r in result.strata) == len(plan.items) - 10
    for found in result.strata:
        assert found.bound_kind == "fixed"
        assert found.lower_bound == clopper_pearson_lower(found.right, found.planned)
        assert found.interval == pytest.approx(
            [float(end) for end in clopper_pearson(found.right, found.planned)]
        )
        assert found.precision == found.right / found.planned
    wrong = sum(r.checked - r.right for r in result.strata)
    assert wrong == len(range(0, len(plan.items) - 10, 10))


def test_an_audit_in_progress_has_bounds_for_every_look(make_view):
    plan = draw(make_view(400, 4))
    answers = dict(list(answered(plan).items())[: len(plan.items) // 2])
    result = score_audit(plan, answers)
    assert not result.is_complete
    for found in result.strata:
        assert found.bound_kind == "sequential"
        assert 0 < found.checked < found.planned
        assert found.lower_bound == sequential_lower(found.right, found.checked)
    assert score_audit(plan, {}).strata[0].precision is None


def test_unsure_counts_as_not_right(view):
    plan = draw(view, num_known=2)
    result = score_audit(plan, dict.fromkeys(plan.shown(), 0))
    assert all(found.right == 0 and found.unsure == found.checked == found.planned for found in result.strata)
    assert result.known_checked == 0


def test_answers_to_other_cells_never_count(view):
    plan = draw(view)
    chosen = {("f" * 24, name): 1 for name in view.class_names}
    assert score_audit(plan, answered(plan) | chosen) == score_audit(plan, answered(plan))


def test_planted_answers_count_for_the_person_only(view):
    plan = draw(view)
    answers = answered(plan)
    before = score_audit(plan, answers)
    planted = next(item for item in plan.items if item.is_planted)
    after = score_audit(plan, answers | {planted.cell: -planted.sign})
    assert after.strata == before.strata
    assert after.known_right == before.known_right - 1
