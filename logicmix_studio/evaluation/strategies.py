"""Ways to label a data set: which cells are asked on which screen, when to train, what to accept at once.

A strategy goes on until :class:`OverError` ends it, or until it has nothing left to ask or its rounds are over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from logicmix_studio.evaluation.trial import Trial
from logicmix_studio.labels import NEGATIVE, POSITIVE
from logicmix_studio.review.audit import DEFAULT_TARGET, Scope
from logicmix_studio.review.queue_spec import QueueSpec

ROUND_ANSWERS: Final = 1_000
"""Answers in the stream between two trainings."""
ROUND_IMAGES: Final = 300
"""Photographs between two trainings."""
MOST_ROUNDS: Final = 12
FIRST_IMAGES: Final = 100
"""Photographs that are labelled one by one where too few positives are known to train."""
FEW_POSITIVES: Final = 50
FIRST_PAGES: Final = 15
"""Pages of the grid before the second training, ..."""
MORE_PAGES: Final = 1.3
"""... and so many times as many before each further one: early answers change most."""
CANDIDATES: Final = 0.5
"""In a data set of which little is looked at, every claim of "absent" from this confidence on may be accepted."""


@dataclass(frozen=True)
class Strategy:
    """One way to label."""

    name: str
    words: str
    uses_model: bool
    work: Callable[[Trial], None]


def _images(trial: Trial) -> None:
    while trial.person.image("in order", filled=False):
        pass


def _class_by_class(trial: Trial) -> None:
    for name in trial.class_names:
        spec = QueueSpec(order="class", class_names=(name,), only_proposals=False)
        while trial.person.page(spec, NEGATIVE).tiles:
            pass


def _cells(trial: Trial) -> None:
    spec = QueueSpec(order="random", only_proposals=False)
    while trial.person.stream(spec, ROUND_ANSWERS):
        pass


def _start(trial: Trial) -> None:
    """Label photographs one by one until there is something to learn from, then train."""
    while np.count_nonzero(trial.services.dataset.states[~trial.services.dataset.table.is_test] > 0) < FEW_POSITIVES:
        for _ in range(FIRST_IMAGES):
            if not trial.person.image("at random", filled=False):
                break
        else:
            continue
        break
    trial.train()


def _accept(trial: Trial, target: float) -> None:
    """Audit and accept what the model is sure of, at today's thresholds."""
    for sign in (NEGATIVE, POSITIVE):
        scope = Scope(sign, target=target)
        if trial.person.audit(scope):
            trial.person.accept(scope)


def _stream(trial: Trial, order: str, audit: float | None = None) -> None:
    _start(trial)
    spec = QueueSpec(order=order, only_proposals=False)
    while trial.person.stream(spec, ROUND_ANSWERS):
        trial.train()
        if audit is not None:
            _accept(trial, audit)


def _filled_images(trial: Trial, audit: float | None = None) -> None:
    _start(trial)
    while trial.person.image("most uncertain", filled=True):
        for _ in range(ROUND_IMAGES - 1):
            if not trial.person.image("most uncertain", filled=True):
                return
        trial.train()
        if audit is not None:
            _accept(trial, audit)


def _pages(trial: Trial, audit: float) -> None:
    """Confirm pseudo-labels page by page: first all that are present; what is absent, after an audit, at once."""
    _start(trial)
    for _ in range(MOST_ROUNDS):
        for name in trial.class_names:
            while trial.person.proposals_page(name, POSITIVE).tiles:
                pass
        scope = Scope(NEGATIVE, target=audit)
        if trial.person.audit(scope):
            trial.person.accept(scope)
        for name in trial.class_names:
            trial.person.page(QueueSpec(order="uncertain", class_names=(name,)), NEGATIVE)
        trial.train()


def _recommended(trial: Trial, audit: float = DEFAULT_TARGET) -> None:
    """Open the page of the grid that promises most positives; once none promises enough, audit and accept the rest."""
    _start(trial)
    pages = float(FIRST_PAGES)
    while all(trial.person.likeliest_page().tiles for _ in range(round(pages))):
        trial.train()
        pages *= MORE_PAGES
    scope = Scope(NEGATIVE, threshold=CANDIDATES, target=audit)
    if trial.person.audit(scope):
        trial.person.accept(scope)
    for name in trial.class_names:
        while trial.person.page(
            QueueSpec(order="uncertain", class_names=(name,), only_proposals=False), NEGATIVE
        ).tiles:
            pass


STRATEGIES: Final = {
    one.name: one
    for one in (
        Strategy("images", "image by image, no model", False, _images),
        Strategy("classes", "class by class in a grid, no model", False, _class_by_class),
        Strategy("cells", "cell by cell, no model", False, _cells),
        Strategy("recommended", "grid from the likeliest down, audit at 95 %, accept the rest", True, _recommended),
        Strategy("pages-95", "grid of pseudo-labels, audit at 95 %", True, partial(_pages, audit=0.95)),
        Strategy("pages-98", "grid of pseudo-labels, audit at 98 %", True, partial(_pages, audit=0.98)),
        Strategy("filled", "image by image, pseudo-labels filled in", True, _filled_images),
        *(
            Strategy(f"stream-{order}", f"stream, {order} first", True, partial(_stream, order=order))
            for order in ("random", "uncertain", "confident", "useful")
        ),
        *(
            Strategy(
                f"stream-{percent}",
                f"stream, uncertain first, audits at {percent} %",
                True,
                partial(_stream, order="uncertain", audit=percent / 100),
            )
            for percent in (90, 95, 98)
        ),
    )
}
"""The ways to label, by name; those without a model first, then the most telling ones."""
