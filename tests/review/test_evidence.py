"""What audits prove, on arrays: exact where they are simple, and never flattering in simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

from logicmix_studio.review.evidence import (
    Claims,
    Further,
    Proof,
    Sample,
    _upper_tail,
    further_answers,
    group_claims,
    prove,
    split_answers,
    worse_classes,
)
from logicmix_studio.review.intervals import clopper_pearson_lower

REPETITIONS = 500
NOISE = 2.5 * np.sqrt(0.05 * 0.95 / REPETITIONS)


def claims_of(*groups: tuple[int, bool, tuple[int, ...]], samples: list[tuple[int, int, int, bool]]) -> Claims:
    """Return claims: each group has (size, is open, samples that cover it); each sample population, checked, right."""
    sizes = [size for size, _, _ in groups]
    is_open = np.repeat([opened for _, opened, _ in groups], sizes)
    made = [
        Sample(
            place + 1,
            checked / population,
            np.repeat([place in covered for _, _, covered in groups], sizes),
            checked,
            right,
            current,
        )
        for place, (population, checked, right, current) in enumerate(samples)
    ]
    return group_claims(is_open, made)[0]


def test_prove__one_audit_of_all_claims_gives_the_exact_bound() -> None:
    for right, checked in [(40, 40), (59, 59), (58, 59), (92, 93)]:
        claims = claims_of((1409, True, (0,)), (checked, False, (0,)), samples=[(1409 + checked, checked, right, True)])
        assert prove(claims, 0.95).lower_bound == pytest.approx(float(clopper_pearson_lower(right, checked)))


def test_prove__nothing_checked_proves_nothing() -> None:
    claims = claims_of((100, True, ()), samples=[])
    assert prove(claims, 0.95)[:3] == (0.0, 0, 0)
    assert not prove(claims, 0.95).covered.any()


def test_prove__two_audits_of_the_same_claims_are_pooled_at_the_second_look() -> None:
    claims = claims_of((1400, True, (0, 1)), (72, False, (0, 1)), samples=[(1472, 40, 40, True), (1472, 32, 32, True)])
    assert prove(claims, 0.95).lower_bound == pytest.approx(float(clopper_pearson_lower(72, 72, 0.975)))


def test_prove__a_later_run_that_claims_less_of_it_knows_less() -> None:
    whole = claims_of((941, True, (0,)), (59, False, (0,)), samples=[(1000, 59, 59, False)])
    part = claims_of((741, True, (0,)), (59, False, (0,)), samples=[(1000, 59, 59, False)])
    bound = float(clopper_pearson_lower(59, 59))
    assert prove(whole, 0.95).lower_bound == pytest.approx(bound)
    assert prove(part, 0.95).lower_bound == pytest.approx(1 - (1 - bound) * 1000 / 800)


def test_prove__claims_that_no_audit_drew_from_are_not_covered() -> None:
    claims = claims_of((941, True, (0,)), (59, False, (0,)), (200, True, ()), samples=[(1000, 59, 59, False)])
    proof = prove(claims, 0.95)
    assert proof.lower_bound >= 0.95
    assert sorted(claims.counts[proof.covered].tolist()) == [59, 941]


def test_prove__a_bad_earlier_run_does_not_weigh_on_a_better_one() -> None:
    claims = claims_of((900, True, (0, 1)), (59, False, (1,)), samples=[(1000, 59, 40, False), (959, 59, 59, True)])
    proof = prove(claims, 0.95)
    assert proof.lower_bound == pytest.approx(float(clopper_pearson_lower(59, 59)))
    assert (proof.checked, proof.right) == (59, 59)


def test_prove__a_bad_audit_of_the_same_run_stays() -> None:
    claims = claims_of((900, True, (0, 1)), samples=[(1000, 59, 40, True), (941, 59, 59, True)])
    assert prove(claims, 0.95).lower_bound < 0.8


def test_prove__leaving_a_class_out_costs_a_look() -> None:
    claims = claims_of((900, True, (0,)), (59, False, (0,)), samples=[(959, 59, 59, True)])
    assert prove(claims, 0.95, dropped=1).lower_bound == pytest.approx(float(clopper_pearson_lower(59, 59, 0.975)))


@pytest.mark.parametrize(("target", "number"), [(0.9, 29), (0.95, 59), (0.98, 149)])
def test_further_answers__are_those_of_the_exact_bound(target: float, number: int) -> None:
    claims = claims_of((1409, True, ()), samples=[])
    assert further_answers(claims, target) == Further(number, is_fresh=False)
    assert clopper_pearson_lower(number, number) >= target > clopper_pearson_lower(number - 1, number - 1)


def test_further_answers__tell_what_one_wrong_answer_costs() -> None:
    claims = claims_of((1409, True, ()), samples=[])
    assert further_answers(claims, 0.95, wrong=1) == Further(93, is_fresh=False)


def test_further_answers__of_too_few_claims() -> None:
    assert further_answers(claims_of((59, True, ()), samples=[]), 0.95) is None
    assert further_answers(claims_of((60, True, ()), samples=[]), 0.95) is not None
    assert further_answers(claims_of((0, True, ()), samples=[]), 0.95) is None


def test_further_answers__are_none_where_it_is_proved() -> None:
    claims = claims_of((941, True, (0,)), (59, False, (0,)), samples=[(1000, 59, 59, True)])
    assert further_answers(claims, 0.95) == Further(0, is_fresh=False)


def test_further_answers__of_a_retrained_model_are_few_and_enough() -> None:
    claims = claims_of((1000, True, (0,)), (59, False, (0,)), (150, True, ()), samples=[(1100, 59, 59, False)])
    further = further_answers(claims, 0.95)
    assert further is not None
    assert 0 < further.number < 40
    assert not further.is_fresh
    old, new = split_answers(claims, further)
    assert old + new == further.number
    rates = 59 / 1100 + old / 1059, new / 150
    assert rates[1] == pytest.approx(rates[0], rel=0.15)


def test_further_answers__start_afresh_where_the_earlier_run_was_bad() -> None:
    claims = claims_of((1000, True, (0,)), (150, True, ()), samples=[(1100, 59, 40, False)])
    assert further_answers(claims, 0.95) == Further(59, is_fresh=True)
    assert split_answers(claims, Further(59, is_fresh=True)) == (59, 0)


def test_worse_classes__needs_two_wrong_answers_that_are_too_many() -> None:
    right, checked = np.array([6, 5, 2, 40, 0]), np.array([6, 6, 6, 41, 0])
    assert worse_classes(right, checked, 0.95).tolist() == [False, False, True, False, False]
    assert not worse_classes(np.array([2]), np.array([6]), 0.95).any()
    assert not worse_classes(np.zeros(3, int), np.zeros(3, int), 0.95).any()
    assert not worse_classes(np.array([96, 100]), np.array([100, 100]), 0.8).any()


def audit(
    rng: np.random.Generator, number: int, pool: np.ndarray, size: int, is_wrong: np.ndarray, current: bool
) -> tuple[Sample, np.ndarray]:
    """Draw from a pool of claims; return the sample, covering all claims by index, and what was drawn."""
    drawn = rng.choice(pool, size=size, replace=False)
    covers = np.zeros(len(is_wrong), dtype=bool)
    covers[pool] = True
    right = int((~is_wrong[drawn]).sum())
    return Sample(number, size / len(pool), covers, size, right, current), drawn


def flattered(proof: Proof, claims: Claims, group: np.ndarray, is_wrong: np.ndarray) -> bool:
    """Return whether a bound is higher than the share of right claims among those that it holds for."""
    covered = proof.covered[group]
    return bool(covered.any()) and proof.lower_bound > 1 - is_wrong[covered].mean() + 1e-12


@pytest.mark.parametrize("precision", [0.9, 0.95, 0.98])
@pytest.mark.parametrize("size", [40, 59, 93])
def test_prove__is_seldom_too_high(precision: float, size: int) -> None:
    rng, misled = np.random.default_rng(size), 0
    is_wrong = np.arange(1000) < round(1000 * (1 - precision))
    for _ in range(REPETITIONS):
        sample, _ = audit(rng, 1, np.arange(1000), size, is_wrong, current=True)
        claims, group = group_claims(np.ones(1000, dtype=bool), [sample])
        misled += flattered(prove(claims, 0.95), claims, group, is_wrong)
    assert misled / REPETITIONS <= 0.05 + NOISE


@pytest.mark.parametrize("improves", [0.0, 0.5])
@pytest.mark.parametrize("further", [0, 20])
def test_prove__is_seldom_too_high_across_a_run_that_learned_from_the_answers(improves: float, further: int) -> None:
    """The second run drops each claim that was found wrong, some other wrong ones, some right ones, and has new ones.

    Counting only the answers that it still claims would find nothing but right ones.
    """
    rng, misled, naive = np.random.default_rng(7), 0, 0
    for _ in range(REPETITIONS):
        is_wrong = rng.random(1300) < 0.06
        first, drawn = audit(rng, 1, np.arange(1100), 59, is_wrong, current=False)
        is_audited = np.isin(np.arange(1300), drawn)
        is_dropped = rng.random(1300) < np.where(is_wrong, improves, 0.1)
        is_dropped[is_audited] = is_wrong[is_audited]
        claimed = np.flatnonzero(~is_dropped)
        is_open = ~is_audited[claimed]
        samples = [first]
        if further:
            is_new = claimed >= 1100
            for pool, size in ((claimed[is_open & ~is_new], further // 2), (claimed[is_new], further // 2)):
                sample, more = audit(rng, 2, pool, size, is_wrong, current=True)
                samples.append(sample)
                is_audited[more] = True
        within = [
            Sample(one.audit, one.rate, one.covers[claimed], one.checked, one.right, one.is_current) for one in samples
        ]
        claims, group = group_claims(~is_audited[claimed], within)
        misled += flattered(prove(claims, 0.95), claims, group, is_wrong[claimed])
        still = drawn[~is_dropped[drawn]]
        naive += clopper_pearson_lower(len(still), len(still)) > 1 - is_wrong[claimed].mean()
    assert misled / REPETITIONS <= 0.05 + NOISE
    assert improves or naive / REPETITIONS > 0.5


def test_prove__is_seldom_too_high_where_a_class_that_looks_worse_is_left_out() -> None:
    """All classes are alike, just short of the target: what looks worse looks so by chance."""
    rng, misled = np.random.default_rng(3), 0
    class_of = np.arange(2000) % 10
    for _ in range(REPETITIONS):
        is_wrong = rng.random(2000) < 0.051
        drawn = rng.choice(2000, size=93, replace=False)
        counts = [np.bincount(class_of[one], minlength=10) for one in (drawn[~is_wrong[drawn]], drawn)]
        is_worse = worse_classes(*counts, target=0.95)
        kept = ~is_worse[class_of]
        mine = drawn[kept[drawn]]
        sample = Sample(
            1,
            len(mine) / int(kept.sum()),
            np.ones(int(kept.sum()), dtype=bool),
            len(mine),
            int((~is_wrong[mine]).sum()),
        )
        claims, group = group_claims(np.ones(int(kept.sum()), dtype=bool), [sample])
        misled += flattered(prove(claims, 0.95, int(is_worse.sum())), claims, group, is_wrong[kept])
    assert misled / REPETITIONS <= 0.05 + NOISE


def test_the_chance_of_too_many_wrong_answers_is_scipys() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        checked = rng.integers(0, 300, 12)
        wrong = rng.binomial(checked, 0.1)
        expected = hypergeom.sf(wrong - 1, checked.sum(), wrong.sum(), checked)
        np.testing.assert_allclose(
            _upper_tail(wrong, checked.sum(), wrong.sum(), checked), expected, rtol=1e-8, atol=1e-12
        )
