from __future__ import annotations

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import hide_labels
from logicmix_studio.labels import LabelTable, drop_labels

STATES = np.random.default_rng(0).choice([-1, 1], (200, 5)).astype(np.int8)
SPLITS = ["test" if i % 4 == 0 else "train" for i in range(200)]
TABLE = LabelTable.build([f"{i:03d}.jpg" for i in range(200)], list("abcde"), STATES, SPLITS)


def test_hides_outside_the_test_split_only() -> None:
    hidden = hide_labels(TABLE, 0.1, seed=1)
    assert np.array_equal(hidden.states[TABLE.is_test], TABLE.states[TABLE.is_test])
    assert np.array_equal(hidden.states[~TABLE.is_test], drop_labels(STATES, 0.1, 1)[~TABLE.is_test])
    assert 0.05 < np.count_nonzero(hidden.states[~TABLE.is_test]) / 750 < 0.15
    assert hidden.splits == TABLE.splits


def test_all_and_nothing() -> None:
    assert hide_labels(TABLE, 1.0) == TABLE
    assert not hide_labels(TABLE, 0.0).states[~TABLE.is_test].any()


@pytest.mark.parametrize("proportion", [-0.1, 1.5])
def test_out_of_range(proportion: float) -> None:
    with pytest.raises(StudioError, match=r"must lie in \[0, 1\]"):
        hide_labels(TABLE, proportion)
