import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.review.queue_spec import ORDERS, SCOPES, QueueSpec


def test_of__without_words_is_the_default():
    assert QueueSpec.of() == QueueSpec() == QueueSpec.of(order="", sign="", band="", run="", split="")


def test_of__each_word_sets_its_field():
    spec = QueueSpec.of(order="class", scope="fresh", class_name="a,b", sign="-1", band="0.2-0.8", run="3", split="val")
    assert spec == QueueSpec(
        order="class",
        never_shown=True,
        class_names=("a,b",),
        sign=-1,
        score_low=0.2,
        score_high=0.8,
        run=3,
        splits=("val",),
    )


def test_of__every_scope_is_another_queue():
    specs = [QueueSpec.of(scope=scope) for scope in (*SCOPES, "conflict")]
    assert len(set(specs)) == len(specs) == 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"order": "best"}, "no order 'best'"),
        ({"scope": "gone"}, "no cells 'gone'"),
        ({"sign": "2"}, "sign is 2"),
        ({"sign": "plus"}, "sign='plus'"),
        ({"band": "0.9-0.1"}, r"0\.9 to 0\.1"),
        ({"band": "nan-1"}, "score band"),
        ({"band": "high"}, "band='high'"),
        ({"run": "last"}, "run='last'"),
    ],
)
def test_what_cannot_be_read_is_named(words, message):
    with pytest.raises(StudioError, match=message):
        QueueSpec.of(**words)


def test_a_change_that_is_none_is_refused():
    with pytest.raises(StudioError, match="no filter 'gone'"):
        QueueSpec(changes="gone")


def test_wide_orders_range_over_all_unknown_cells():
    wide = [order for order in ORDERS if not QueueSpec(order=order).takes_only_proposals(has_run=True)]
    assert wide == ["useful", "uncertain"]
    assert QueueSpec(order="uncertain", only_proposals=True).takes_only_proposals(has_run=True)
    assert not QueueSpec(order="confident").takes_only_proposals(has_run=False)
    assert not QueueSpec(order="confident", unsure_before=True).takes_only_proposals(has_run=True)
