import pytest
from hypothesis import given
from hypothesis import strategies as st

from logicmix_studio.errors import StudioError
from logicmix_studio.review import CHANGES, ORDERS, QueueSpec

NAMES = st.lists(st.text(min_size=1), max_size=3).map(tuple)
UNIT = st.floats(0, 1)


@given(
    st.builds(
        lambda low, high, **rest: QueueSpec(score_low=min(low, high), score_high=max(low, high), **rest),
        low=UNIT,
        high=UNIT,
        order=st.sampled_from(list(ORDERS)),
        class_names=NAMES,
        sign=st.integers(-1, 1),
        splits=NAMES,
        changes=st.sampled_from(CHANGES),
        never_shown=st.booleans(),
        unsure_before=st.booleans(),
        only_proposals=st.sampled_from([None, True, False]),
        run=st.none() | st.integers(1, 9999),
        seed=st.integers(0, 2**40),
    )
)
def test_a_spec_comes_back_from_its_address(spec):
    assert QueueSpec.from_query(spec.to_query()) == spec
    assert all(isinstance(text, str) for text in spec.to_query().values())


def test_an_address_names_only_what_was_chosen():
    assert QueueSpec().to_query() == {}
    spec = QueueSpec(order="class", class_names=("a,b", "sofa"), never_shown=True)
    assert spec.to_query() == {"order": "class", "class_names": "a%2Cb,sofa", "never_shown": "1"}
    assert QueueSpec.from_query({"order": "random", "tab": "review"}) == QueueSpec(order="random")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"order": "best"}, "no order 'best'"),
        ({"changes": "gone"}, "no filter 'gone'"),
        ({"sign": "2"}, "sign is 2"),
        ({"sign": "plus"}, "sign='plus'"),
        ({"score_low": "0.9", "score_high": "0.1"}, r"0\.9 to 0\.1"),
        ({"score_low": "nan"}, "score band"),
        ({"never_shown": "yes"}, "never_shown='yes'"),
    ],
)
def test_what_cannot_be_read_is_named(query, message):
    with pytest.raises(StudioError, match=message):
        QueueSpec.from_query(query)


def test_wide_orders_range_over_all_unknown_cells():
    wide = [order for order in ORDERS if not QueueSpec(order=order).takes_only_proposals(has_run=True)]
    assert wide == ["uncertain", "useful"]
    assert QueueSpec(order="uncertain", only_proposals=True).takes_only_proposals(has_run=True)
    assert not QueueSpec(order="confident").takes_only_proposals(has_run=False)
    assert not QueueSpec(order="confident", unsure_before=True).takes_only_proposals(has_run=True)
