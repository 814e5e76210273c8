from __future__ import annotations

import numpy as np
import pytest

from logicmix_studio.labels import (
    NEGATIVE,
    POSITIVE,
    STATE_NAMES,
    UNKNOWN,
    as_states,
)


def test_states__are_ordered_by_truth():
    assert NEGATIVE < UNKNOWN < POSITIVE
    assert [STATE_NAMES[s] for s in (NEGATIVE, UNKNOWN, POSITIVE)] == ["negative", "unknown", "positive"]


def test_as_states__int8_is_not_copied():
    states = np.array([1, 0, -1], dtype=np.int8)
    assert as_states(states) is states


@pytest.mark.parametrize("values", [[1.0, 0.0, -1.0], [1, 0, -1], [True, False]])
def test_as_states__takes_other_types(values):
    assert as_states(values).dtype == np.int8
    assert as_states(values).tolist() == [int(v) for v in values]


@pytest.mark.parametrize("values", [np.array([0, 2], np.int8), [0.0, 2.0], np.array([1, -2], np.int8), [0.5]])
def test_as_states__refuses_other_values(values):
    with pytest.raises(ValueError, match=r"must be -1 .* but (-?2|2.0|0.5) was found"):
        as_states(values)


def test_as_states__refuses_nan():
    with pytest.raises(ValueError, match="nan was found"):
        as_states([1.0, float("nan")])
