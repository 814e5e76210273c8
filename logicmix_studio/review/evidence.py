"""What audits prove of the claims of one sign: pooled over classes, carried across runs, and never flattering.

Let audit a have drawn n_a claims at random from a population of N_a, W_a of them wrong. The claims in question, T, are
those of today: open ones, and audited ones that the run of today claims with the same sign. All n checked answers
together are compared with a binomial count: with chance `level`, the number of wrong answers that was to be expected,
Σ n_a W_a / N_a, is at most m = n (1 - b), b being the lower bound of Clopper and Pearson for all n answers. A claim j
was drawn at the rate π_j = Σ n_a / N_a, the sum being over the audits whose population had it. As Σ π_j over the wrong
claims of T is at most Σ n_a W_a / N_a,

    wrong claims of T  ≤  m / min π_j.

One audit of all claims of today so gives just the exact bound: 59 right answers of 59 say that at least 95 % are right.
Why it holds over runs:

* A run that was trained on the answers claims the right ones again and the wrong ones no more. So answers are never
  left out because of what a later run says: a wrong answer counts against its population for good. What a later run
  still claims of that population can't hold more wrong claims than the population did; as a share it may be more, and
  the formula has that in the size of T.
* Claims that no audit drew from have π = 0. They are not covered, are left out and counted, and may be drawn apart
  ("new") at the rate of the others: a rate that is the same everywhere makes the bound sharp.
* Where people settled claims in a chosen order meanwhile, the rest may be worse than the whole was. All wrong claims
  that the population may hold are taken to be in the rest, so this is allowed for.
* Audited claims that were right may be counted to the population of a later audit: that makes it no worse.
* Each further audit is one more look (`look_level`), and so is each class that is left out because it looks worse.

Assumed is that people answer rightly, that thresholds and classes were not chosen by the answers, and that pooled
counts vary no more than binomial ones, as holds for few wrong answers (Hoeffding 1956).

M claims, G groups of claims that the same samples cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from logicmix_studio.review.intervals import DEFAULT_LEVEL, clopper_pearson_lower, look_level

MOST_ANSWERS = 2000
"""Beyond this number, nobody is asked to check."""
MOST_SAMPLES = 60
"""Samples that are looked at, the newest ones."""
ENOUGH_WRONG = 2
"""One wrong answer alone does not make a class look worse."""
WORSE_CHANCE = 0.05
"""A class looks worse where so many wrong answers would be rarer than this if it were like the others."""

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """Answers to claims that were drawn at random from one population."""

    audit: int
    rate: float
    """Answers per claim of the population."""
    covers: Bools
    """(M,) or (G,), which of the claims in question it was drawn from."""
    checked: int
    right: int
    """"unsure" is not right."""
    is_current: bool = True
    """Whether it is an audit of the run in question."""


class Claims(NamedTuple):
    """The claims in question, grouped."""

    counts: Ints
    """(G,) claims of each group."""
    is_open: Bools
    """(G,) whether they are still to be accepted."""
    samples: tuple[Sample, ...]
    """Their `covers` are by group."""


class Further(NamedTuple):
    """Answers to add."""

    number: int
    is_fresh: bool
    """Whether an audit of all claims anew takes fewer than going on with the earlier ones."""


class Proof(NamedTuple):
    """What is known of the claims that are covered."""

    lower_bound: float
    """Share of the covered claims, audited ones included, that is right at least; 0 where nothing is known of open
    ones."""
    checked: int
    right: int
    covered: Bools
    """(G,) which groups it holds for."""


def group_claims(is_open: Bools, samples: Sequence[Sample]) -> tuple[Claims, Ints]:
    """Return (M,) claims, open or not, by groups that the same samples cover, and the (M,) group of each."""
    numbered = list(enumerate(samples[-MOST_SAMPLES:], start=1))
    code = is_open.astype(np.min_scalar_type(2 ** (len(numbered) + 1)))  # 8 or 16 bits are sorted by counting
    for place, sample in numbered:
        code |= sample.covers.astype(code.dtype) << place
    codes, group, counts = np.unique(code, return_inverse=True, return_counts=True)
    grouped = (replace(sample, covers=(codes >> place & 1) == 1) for place, sample in numbered)
    return Claims(counts, (codes & 1) == 1, tuple(grouped)), group


def prove(claims: Claims, target: float, dropped: int = 0) -> Proof:
    """Return what the samples prove: of as many claims as possible where the target is reached, else the best bound.

    Both all samples and only those of the current run are tried: a bad earlier run must not weigh on a better one.
    The bound holds at a level of 95 % at the first look; so many classes were ``dropped`` because they look worse.
    """
    best = Proof(0.0, 0, 0, np.zeros(len(claims.counts), dtype=np.bool_))

    def worth(proof: Proof) -> tuple[bool, int, float, int]:
        is_shown = proof.lower_bound >= target
        covered = int(claims.counts[proof.covered].sum()) if is_shown else 0
        return is_shown, covered, proof.lower_bound, proof.checked

    current = tuple(sample for sample in claims.samples if sample.is_current)
    for samples in (claims.samples, current):
        checked, right = sum(one.checked for one in samples), sum(one.right for one in samples)
        looks = len({one.audit for one in samples}) + dropped
        most_wrong = checked * (1.0 - float(clopper_pearson_lower(right, checked, look_level(DEFAULT_LEVEL, looks))))
        rates = _rates(claims, samples)
        for rate in np.unique(rates[rates > 0]):
            covered = rates >= rate
            if not (covered & claims.is_open).any():
                continue
            lower = max(0.0, 1.0 - most_wrong / float(rate * claims.counts[covered].sum()))
            best = max(best, Proof(lower, checked, right, covered), key=worth)
    return best


def further_answers(claims: Claims, target: float, dropped: int = 0, wrong: int = 0) -> Further | None:
    """Return how many more answers, all but `wrong` right, would prove the target for all open claims, if any would."""
    if not wrong and _reaches(claims, target, dropped, 0, Further(0, False)):
        return Further(0, False)
    most = min(MOST_ANSWERS, int(claims.counts[claims.is_open].sum()) - 1)
    best = None
    for is_fresh in (False, True):
        if most < wrong or not _reaches(claims, target, dropped, wrong, Further(most, is_fresh)):
            continue
        low, high = wrong, most  # another look costs, but then more right answers never show less
        while high - low > 1:
            middle = (low + high) // 2
            is_enough = _reaches(claims, target, dropped, wrong, Further(middle, is_fresh))
            low, high = (low, middle) if is_enough else (middle, high)
        best = Further(high, is_fresh) if best is None or high < best.number else best
    return best


def split_answers(claims: Claims, further: Further) -> tuple[int, int]:
    """Split answers over open claims that an audit drew from and others, so that these come up to their rate."""
    rates = _rates(claims, claims.samples)
    is_old = (rates > 0) | further.is_fresh
    num_old = int(claims.counts[is_old & claims.is_open].sum())
    num_new = int(claims.counts[~is_old & claims.is_open].sum())
    if not num_old or not num_new:
        return min(further.number, num_old), min(further.number, num_new)
    lowest = float(rates[is_old & claims.is_open].min())
    wanted = (further.number + lowest * num_old) / (num_old + num_new) * num_new
    new = min(further.number, num_new, int(np.ceil(wanted)))
    return min(further.number - new, num_old), new


def worse_classes(right: Ints, checked: Ints, target: float) -> Bools:
    """Return (C,) which classes, of (C,) right and checked answers, look worse than the others.

    By Fisher's exact test, and short of the target.
    """
    wrong = checked - right
    chance = _upper_tail(wrong, checked.sum(), wrong.sum(), checked)
    is_short = wrong > (1.0 - target) * checked
    return np.asarray((wrong >= ENOUGH_WRONG) & is_short & (chance < WORSE_CHANCE), dtype=np.bool_)


def _upper_tail(least: Ints, total: int, marked: int, drawn: Ints) -> NDArray[np.float64]:
    """Return (C,) the chance that at least so many of (C,) drawn are marked ones, of which there are some in the total.

    The same as ``scipy.stats.hypergeom.sf(least - 1, ...)``, whose import takes a second of every launch.
    """
    number = np.arange(marked + 1)[:, None]
    log_chance = _log_choose(marked, number) + _log_choose(total - marked, drawn - number) - _log_choose(total, drawn)
    return np.asarray(np.where(number >= least, np.exp(log_chance), 0.0).sum(axis=0))


def _log_choose(total: int, drawn: Ints) -> NDArray[np.float64]:
    """Return the logarithm of how many ways there are to draw so many of the total; -inf for none."""
    inside = np.clip(drawn, 0, total)
    log_ways = -np.log1p(total) - betaln(total - inside + 1, inside + 1)
    return np.where(inside == drawn, log_ways, -np.inf)


def _rates(claims: Claims, samples: Sequence[Sample]) -> NDArray[np.float64]:
    rates = np.zeros(len(claims.counts))
    for sample in samples:
        rates += sample.rate * sample.covers
    return rates


def _reaches(claims: Claims, target: float, dropped: int, wrong: int, further: Further) -> bool:
    """Return whether the target would be proved for all open claims after some more answers."""
    is_old = (_rates(claims, claims.samples) > 0) | further.is_fresh
    audit = max((sample.audit for sample in claims.samples), default=0) + 1
    samples = list(claims.samples)
    parts = (is_old, ~is_old & claims.is_open)
    for number, covers in zip(split_answers(claims, further), parts, strict=True):
        if number:
            samples.append(Sample(audit, number / int(claims.counts[covers].sum()), covers, number, number))
    if wrong:
        samples[-1] = replace(samples[-1], right=samples[-1].right - wrong)
    proof = prove(claims._replace(samples=tuple(samples)), target, dropped)
    return proof.lower_bound >= target and bool(proof.covered[claims.is_open].all())
