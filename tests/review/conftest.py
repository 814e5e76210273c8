"""A small data set for reviews: every state, score and split is there, and nothing is special about any cell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from logicmix_studio.review.cells import CellView
from logicmix_studio.review.proposals import Thresholds, propose
from logicmix_studio.studio import Studio

MakeView = Callable[..., CellView]


@pytest.fixture
def make_view() -> MakeView:
    """Return a function that makes a random view of given size."""

    def make(num_images: int = 40, num_classes: int = 5, seed: int = 0) -> CellView:
        rng = np.random.default_rng(seed)
        shape = (num_images, num_classes)
        states = rng.choice(np.array([-1, 0, 1], dtype=np.int8), size=shape, p=[0.2, 0.7, 0.1])
        scores = rng.beta(0.2, 0.3, size=shape).astype(np.float16)
        splits = rng.choice(np.array(["train", "val", "test"]), size=num_images, p=[0.7, 0.2, 0.1])
        unsure = rng.choice(np.array([-1, 1, 2], dtype=np.int32), size=shape, p=[0.8, 0.1, 0.1])
        proposals = propose(scores, states, Thresholds.constant(num_classes, 0.9, 0.9), splits == "test", unsure, run=2)
        before = propose(
            rng.beta(0.2, 0.3, size=shape).astype(np.float16), states, Thresholds.constant(num_classes, 0.8, 0.8)
        )
        return CellView(
            class_names=tuple(f"class {index}" for index in range(num_classes)),
            states=states,
            scores=scores,
            proposals=proposals,
            previous=before,
            splits=splits,
            shown=rng.random(shape) < 0.3,
            unsure_run=unsure,
            dismissed=rng.random(shape) < 0.1,
            run=2,
        )

    return make


@pytest.fixture
def view(make_view: MakeView) -> CellView:
    """Return a view of 40 images and 5 classes."""
    return make_view()


@pytest.fixture
def big(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio on 600 images of two classes, whose complete labels are known."""
    return open_studio(
        num_images=600, class_names=("circle", "square"), known_proportion=0.2, side=16, draw_every=600, trial=True
    )
