import bisect
import dataclasses
import functools

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.review import (
    BAND_EDGES,
    AuditSpec,
    Coverage,
    Evidence,
    Thresholds,
    clopper_pearson_lower,
    collect_evidence,
    count_bands,
    look_level,
    lower_bounds,
    open_cells,
    plan_audit,
    propose,
    solve_thresholds,
)
from logicmix_studio.review.pooling import fit_hierarchy, more_audits

NUM_BANDS = len(BAND_EDGES)
NAMES = ("cat", "dog", "emu")


def make_evidence(right, total):
    """Return the same evidence in every band: right and total of each class, both signs alike."""
    fill = [
        np.broadcast_to(np.array(counts)[np.newaxis, :, np.newaxis], (2, 3, NUM_BANDS))
        for counts in (right, total)
    ]
    return Evidence(fill[0].astype(np.int64), fill[1].astype(np.int64))


def populations(*per_band):
    return np.broadcast_to(np.array(per_band, dtype=np.int64), (2, 3, NUM_BANDS)).copy()


EVERYWHERE = (1000,) * NUM_BANDS


def test_bands_are_counted_among_open_cells(make_view):
    view = make_view(300, 4)
    is_open = open_cells(view.states, view.excluded_rows, view.unsure_run, view.run)
    found = count_bands(Coverage(view.scores, is_open))
    for band, edge in enumerate(BAND_EDGES):
        cut = Thresholds.constant(4, edge, edge)
        proposed = propose(view.scores, view.states, cut, view.excluded_rows, view.unsure_run, view.run)
        assert found[0, :, band:].sum(axis=1).tolist() == (proposed == 1).sum(axis=0).tolist()
        assert found[1, :, band:].sum(axis=1).tolist() == (proposed == -1).sum(axis=0).tolist()


def test_evidence_is_of_one_run_and_of_claims_only(make_view):
    view = make_view(300, 4)
    image_ids = [f"{row:024x}" for row in range(300)]
    plan = plan_audit(view, image_ids, AuditSpec(seed=0))
    answers = {item.cell: item.sign for item in plan.items}
    wrong = next(item for item in plan.items if not item.is_planted)
    unsure = [item for item in plan.items if not item.is_planted][1]
    answers[wrong.cell], answers[unsure.cell] = -wrong.sign, 0
    other = dataclasses.replace(plan, run=1)
    found = collect_evidence([(plan, answers), (other, answers)], view.class_names, run=2)
    assert found.total.sum() == sum(not item.is_planted for item in plan.items)
    assert found.right.sum() == found.total.sum() - 2
    place = (0 if wrong.sign == 1 else 1, view.class_names.index(wrong.class_name), wrong.band)
    assert found.right[place] < found.total[place]
    assert collect_evidence([(plan, {})], view.class_names, run=2).total.sum() == 0
    assert collect_evidence([(plan, answers)], view.class_names[:1], run=2).total[:, 0].sum() > 0


def test_many_right_audits_open_the_lowest_threshold():
    solution = solve_thresholds(0.98, NAMES, make_evidence([300] * 3, [300] * 3), populations(*EVERYWHERE))
    assert [(part.class_name, part.sign) for part in solution.parts] == [
        (n, s) for n in NAMES for s in (1, -1)
    ]
    for part in solution.parts:
        assert part.threshold == 0.5
        assert part.num_cells == 7000
        assert part.lower_bound >= 0.98
        assert part.message().startswith("from 50%: 7,000 cells, right in at least 9")


def test_bad_low_bands_raise_the_threshold():
    evidence = make_evidence([300] * 3, [300] * 3)
    right = evidence.right.copy()
    right[:, :, :4] = 200
    solution = solve_thresholds(0.98, NAMES, Evidence(right, evidence.total), populations(*EVERYWHERE))
    assert {part.threshold for part in solution.parts} == {0.95}
    assert {part.num_cells for part in solution.parts} == {3000}


def test_few_cells_in_a_bad_band_may_be_taken_along():
    evidence = make_evidence([2000] * 3, [2000] * 3)
    right = evidence.right.copy()
    right[:, :, 5] = 1400
    counts = populations(0, 0, 0, 0, 0, 10, 10_000)
    solution = solve_thresholds(0.98, NAMES, Evidence(right, evidence.total), counts)
    assert {(part.threshold, part.num_cells) for part in solution.parts} <= {(0.5, 10_010), (0.98, 10_010)}


def test_without_audits_it_says_how_many_are_needed():
    solution = solve_thresholds(0.98, NAMES, make_evidence([0] * 3, [0] * 3), populations(*EVERYWHERE))
    needed = {part.audits_needed for part in solution.parts}
    assert len(needed) == 1
    count = needed.pop()
    # The first look has the level 98 %, and the exact bound needs 194: 0.98 ** 194 = 0.0199.
    assert clopper_pearson_lower(194, 194, look_level(0.95, 1)) >= 0.98
    assert 175 <= count <= 200
    assert solution.parts[0].threshold is None
    assert solution.parts[0].message() == f"{count} more audits needed"


def test_the_audits_that_were_needed_are_enough_when_all_are_right():
    nothing = make_evidence([0] * 3, [0] * 3)
    counts = populations(0, 0, 0, 0, 0, 0, 5000)
    needed = solve_thresholds(0.95, NAMES, nothing, counts).parts[0].audits_needed
    assert needed
    right = nothing.right.copy()
    right[0, 0, -1] = needed + 3
    solution = solve_thresholds(0.95, NAMES, Evidence(right, right), counts)
    assert solution.parts[0].threshold is not None
    assert solution.parts[2].audits_needed is None or solution.parts[2].audits_needed < needed


def test_every_further_audit_of_a_class_is_one_more_look():
    right = np.broadcast_to(np.array([300, 300, 300])[:, np.newaxis], (2, 3, NUM_BANDS)).astype(np.int64)
    bounds = lower_bounds(Evidence(right, right, np.array([1, 2, 16])), populations(*EVERYWHERE))
    assert (bounds[:, 0] > bounds[:, 1]).all()
    assert (bounds[:, 1] > bounds[:, 2]).all()
    once = lower_bounds(Evidence(right, right), populations(*EVERYWHERE))
    assert once[:, 0] == pytest.approx(bounds[:, 0])


def test_looks_are_counted_by_class_and_run(make_view):
    view = make_view(300, 4)
    image_ids = [f"{row:024x}" for row in range(300)]
    every = plan_audit(view, image_ids, AuditSpec(seed=0))
    one = plan_audit(view, image_ids, AuditSpec(seed=1, class_names=view.class_names[1:2]))
    old = dataclasses.replace(every, run=1)
    audits = [(plan, {item.cell: item.sign for item in plan.items}) for plan in (every, one, old)]
    assert collect_evidence(audits, view.class_names, run=2).looks.tolist() == [1, 2, 1, 1]


@functools.cache
def fewest_right(total: int, target: float, level: float) -> int:
    """Return how many of so many claims must be right for the bound to reach the target, or one more than all."""

    def holds(right: int) -> bool:
        counts = np.array([right]), np.array([total])
        return more_audits(fit_hierarchy(*counts), right, total, target, level, 0) == 0

    return bisect.bisect_left(range(total + 1), True, key=holds)


@pytest.mark.parametrize("step", [30, 100])
@pytest.mark.parametrize("target", [0.8, 0.9, 0.95, 0.98])
def test_auditing_until_the_target_is_reached_keeps_the_level(target, step):
    """In 2,000 repetitions a class just short of the target is audited up to ten times, until the bound holds."""
    audits = np.arange(1, 11)
    rng = np.random.default_rng(3)
    right = rng.binomial(step, target - 1e-4, size=(2000, len(audits))).cumsum(axis=1)
    for spends, most in ((True, 0.05), (False, 1.0)):
        levels = [look_level(0.95, look) if spends else 0.95 for look in audits.tolist()]
        needed = [
            fewest_right(look * step, target, level)
            for look, level in zip(audits.tolist(), levels, strict=True)
        ]
        flattered = (right >= needed).any(axis=1).mean()
        assert flattered <= most
    assert flattered > 0.05, "without that, looking again would flatter: the test could not fail"


def test_few_cells_are_better_reviewed_one_by_one():
    part = solve_thresholds(
        0.98, NAMES, make_evidence([0] * 3, [0] * 3), populations(*[20] * NUM_BANDS)
    ).parts[0]
    assert part.audits_needed is None
    assert part.message() == "too few cells for an audit: review them one by one"


def test_no_cells_leave_nothing_to_accept():
    solution = solve_thresholds(0.98, NAMES, make_evidence([99] * 3, [99] * 3), populations(*[0] * NUM_BANDS))
    assert {part.message() for part in solution.parts} == {"nothing to accept"}
    assert {part.threshold for part in solution.parts} == {None}


def test_one_audit_is_one():
    part = solve_thresholds(0.98, NAMES, make_evidence([0] * 3, [0] * 3), populations(*EVERYWHERE)).parts[0]
    assert dataclasses.replace(part, audits_needed=1).message() == "1 more audit needed"


def test_bounds_serve_every_target():
    evidence, counts = make_evidence([80, 97, 100], [100] * 3), populations(*EVERYWHERE)
    limits = lower_bounds(evidence, counts)
    assert (limits == lower_bounds(evidence, counts)).all()
    for target in (0.8, 0.9, 0.98):
        spared = solve_thresholds(target, NAMES, evidence, counts, bounds=limits)
        assert spared == solve_thresholds(target, NAMES, evidence, counts)
    covered = [
        sum(part.num_cells for part in solve_thresholds(t, NAMES, evidence, counts, limits).parts)
        for t in (0.7, 0.9, 0.97)
    ]
    assert covered == sorted(covered, reverse=True)
    assert covered[0] > covered[-1]


def test_a_bad_class_is_held_back_by_its_own_audits():
    parts = solve_thresholds(
        0.9, NAMES, make_evidence([60, 100, 100], [100] * 3), populations(*EVERYWHERE)
    ).parts
    assert parts[0].threshold is None
    assert parts[2].threshold == parts[4].threshold == 0.5


def test_a_solution_becomes_thresholds():
    parts = solve_thresholds(0.9, NAMES, make_evidence([60, 100, 100], [100] * 3), populations(*EVERYWHERE))
    found = parts.as_thresholds(Thresholds.constant(3, 0.95, 0.99), NAMES)
    assert found.positive.tolist() == [0.95, 0.5, 0.5]
    assert found.negative.tolist() == [0.99, 0.5, 0.5]


@pytest.mark.parametrize("target", [0.0, 1.0, 98.0, float("nan")])
def test_a_target_that_cannot_be_shown_is_refused(target):
    with pytest.raises(StudioError, match="target precision"):
        solve_thresholds(target, NAMES, make_evidence([1] * 3, [1] * 3), populations(*EVERYWHERE))


def test_accepted_claims_are_as_right_as_was_asked():
    """Whole way: draw an audit, answer it by the truth, accept what holds, and look how right that was."""
    rng = np.random.default_rng(8)
    names = tuple(f"class {index}" for index in range(6))
    misses, accepted = 0, 0
    for trial in range(15):
        scores = rng.beta(0.15, 0.15, size=(3000, 6)).astype(np.float16)
        skill = rng.uniform(0.6, 1.6, size=6)
        logits = np.log(np.clip(scores, 1e-4, 1 - 1e-3) / (1 - np.clip(scores, 1e-4, 1 - 1e-3))) * skill
        truth = np.where(rng.random(scores.shape) < 1 / (1 + np.exp(-logits)), 1, -1)
        misses_here, accepted_here = accept_and_check(names, scores, truth, trial)
        misses, accepted = misses + misses_here, accepted + accepted_here
    assert accepted > 50
    assert misses <= 0.1 * accepted


def accept_and_check(names, scores, truth, seed):
    from logicmix_studio.review import CellView

    view = CellView(names, np.zeros(scores.shape, dtype=np.int8), scores, run=0)
    ids = [str(row) for row in range(len(scores))]
    plan = plan_audit(view, ids, AuditSpec(seed=seed, per_stratum=40, by_class=True, num_known=0))
    answers = {item.cell: truth[int(item.image_id), names.index(item.class_name)] for item in plan.items}
    evidence = collect_evidence([(plan, answers)], names, run=0)
    counts = count_bands(Coverage(scores, np.ones(scores.shape, dtype=np.bool_)))
    misses = accepted = 0
    for part in solve_thresholds(0.95, names, evidence, counts).parts:
        if part.threshold is None:
            continue
        column = names.index(part.class_name)
        confidence = (
            scores[:, column].astype(float) if part.sign == 1 else 1 - scores[:, column].astype(float)
        )
        taken = (confidence >= part.threshold) & (confidence > 0.5)
        accepted += 1
        misses += (truth[taken, column] == part.sign).mean() < 0.95
    return misses, accepted
