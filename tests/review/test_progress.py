import pytest

from logicmix_studio.review import Pace, minutes_left, pace


def test_pace_counts_decisions_a_minute_of_work():
    assert pace([0, 2, 4, 6]) == Pace(4, 6.0)
    assert pace([6, 2, 0, 4]).per_minute == 30.0


def test_a_pause_is_no_work():
    assert pace([0, 2, 4, 3600, 3602]).per_minute == 30.0
    assert pace([0, 100], pause_seconds=120).per_minute == pytest.approx(0.6)


@pytest.mark.parametrize("times", [[], [5.0], [0, 1000], [5.0, 5.0]])
def test_too_little_says_nothing(times):
    assert pace(times).per_minute == 0.0
    assert minutes_left(10, pace(times)) is None


def test_minutes_left():
    assert minutes_left(90, Pace(4, 6.0)) == 3.0
    assert minutes_left(0, Pace(0, 0.0)) == 0.0
