import dataclasses

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.review.cells import CellView
from logicmix_studio.review.proposals import changes, conflict_mask
from logicmix_studio.review.queue import Queue
from logicmix_studio.review.queue_spec import ORDERS, QueueSpec
from logicmix_studio.review.usefulness import answer_gains


def naive_members(view, spec):
    """Say of every cell whether it belongs to the queue, one after the other."""
    conflict = conflict_mask(view.states, view.scores, view.splits == "test", view.dismissed)
    changed = changes(view.previous, view.proposals, view.states)
    narrow = spec.only_proposals
    if narrow is None:
        narrow = spec.order not in ("uncertain", "useful") and not spec.unsure_before
    found = []
    for row, column in np.ndindex(*view.states.shape):
        cell, score = (row, column), float(view.scores[row, column])
        if spec.changes == "conflict":
            chosen = conflict[cell]
        elif spec.changes:
            chosen = getattr(changed, spec.changes)[cell] and view.states[cell] == 0
        else:
            chosen = view.states[cell] == 0 and (not narrow or view.proposals[cell] != 0)
            chosen = chosen or (spec.order == "conflicts" and conflict[cell])
        unsure = view.unsure_run[cell]
        if (
            chosen
            and view.splits[row] != "test"
            and (not spec.splits or view.splits[row] in spec.splits)
            and (not spec.class_names or view.class_names[column] in spec.class_names)
            and (spec.sign == 0 or (score - 0.5) * spec.sign > 0)
            and spec.score_low <= score <= spec.score_high
            and not (spec.never_shown and view.shown[cell])
            and (unsure >= 0 if spec.unsure_before else unsure != view.run)
        ):
            found.append(row * view.num_classes + column)
    return found


SPECS = [
    QueueSpec(),
    QueueSpec(only_proposals=True),
    QueueSpec(order="confident"),
    QueueSpec(order="confident", only_proposals=False),
    QueueSpec(order="class", class_names=("class 3", "class 1")),
    QueueSpec(order="rarest", sign=1),
    QueueSpec(order="random", sign=-1, score_low=0.01, score_high=0.4, only_proposals=False),
    QueueSpec(order="useful", never_shown=True),
    QueueSpec(order="flipped"),
    QueueSpec(order="conflicts"),
    QueueSpec(order="conflicts", changes="conflict", never_shown=True),
    QueueSpec(order="confident", changes="new"),
    QueueSpec(order="confident", changes="withdrawn"),
    QueueSpec(order="random", changes="flipped"),
    QueueSpec(unsure_before=True),
    QueueSpec(order="confident", unsure_before=True),
    QueueSpec(splits=("val",)),
    QueueSpec(splits=("val", "test")),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_queue_holds_the_cells_that_the_spec_describes(make_view, spec):
    view = make_view(150, 5, seed=4)
    queue = Queue(view, spec)
    expected = naive_members(view, spec)
    assert sorted(queue.cells.tolist()) == expected
    assert len(queue) == len(expected) > 0


def scores_of(view, queue):
    return view.scores.ravel()[queue.cells].astype(np.float64)


def test_uncertain_begins_near_one_half(view):
    distance = np.abs(scores_of(view, Queue(view, QueueSpec(order="uncertain"))) - 0.5)
    assert (np.diff(distance) >= 0).all()


def test_confident_begins_at_the_ends(view):
    distance = np.abs(scores_of(view, Queue(view, QueueSpec(order="confident"))) - 0.5)
    assert (np.diff(distance) <= 0).all()


def test_class_follows_the_classes_asked_for(view):
    queue = Queue(view, QueueSpec(order="class", class_names=("class 4", "class 0")))
    columns = queue.cells % 5
    first = int((columns == 4).sum())
    assert first > 0
    assert columns.tolist() == [4] * first + [0] * (len(queue) - first)
    assert (np.diff(np.abs(scores_of(view, queue)[:first] - 0.5)) <= 0).all()


def test_rarest_begins_with_the_fewest_known_positives(view):
    queue = Queue(view, QueueSpec(order="rarest"))
    num_positive = (view.states == 1).sum(axis=0)[queue.cells % 5]
    assert (np.diff(num_positive) >= 0).all()
    assert len(np.unique(num_positive)) > 1


def test_flipped_come_first(view):
    queue = Queue(view, QueueSpec(order="flipped"))
    is_flipped = changes(view.previous, view.proposals).flipped.ravel()[queue.cells]
    assert 0 < is_flipped.sum() < len(queue)
    assert (np.diff(is_flipped.astype(int)) <= 0).all()


def test_conflicts_come_first_and_as_ranked(make_view):
    view = make_view(300, 4)
    queue = Queue(view, QueueSpec(order="conflicts"))
    states = view.states.ravel()[queue.cells]
    known = states != 0
    allowed = view.unsure_run.ravel() != view.run
    conflicts = conflict_mask(view.states, view.scores, view.excluded_rows, view.dismissed).ravel() & allowed
    assert known[: known.sum()].all()
    assert sorted(queue.cells[known].tolist()) == np.flatnonzero(conflicts).tolist()
    shown = scores_of(view, queue)[known]
    self_confidence = np.where(states[known] == 1, shown, 1 - shown)
    assert len(shown) > 1
    assert (np.diff(self_confidence) >= 0).all()
    rest = np.abs(scores_of(view, queue)[~known] - 0.5)
    assert (np.diff(rest) >= 0).all()


def test_useful_follows_the_formula(make_view):
    view = make_view(200, 6)
    queue = Queue(view, QueueSpec(order="useful"))
    gains = answer_gains(view.states, view.excluded_rows)
    chance, columns = scores_of(view, queue), queue.cells % 6
    inner = np.clip(chance, 1e-12, 1 - 1e-12)
    entropy = -(inner * np.log2(inner) + (1 - inner) * np.log2(1 - inner))
    worth = (chance * gains.positive[columns] + (1 - chance) * gains.negative[columns]) * entropy
    # Sorted to a part in a thousand, because the keys are float16.
    assert (worth[1:] <= worth[:-1] + 1e-3 * worth.max()).all()
    assert worth[0] == pytest.approx(worth.max(), rel=2e-3)


def test_random_depends_on_the_seed_alone(view):
    spec = QueueSpec(order="random", only_proposals=False, seed=1)
    first = Queue(view, spec).cells
    assert first.tolist() == Queue(view, spec).cells.tolist()
    assert first.tolist() != sorted(first.tolist())
    other = Queue(view, dataclasses.replace(spec, seed=2)).cells
    assert first.tolist() != other.tolist()
    states = view.states.copy()
    states.ravel()[first[::2]] = 1
    rest = Queue(dataclasses.replace(view, states=states), spec).cells
    assert rest.tolist() == first[1::2].tolist()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("state", [-1, 0, 1])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (3, 0), (4, 1)])
def test_every_order_works_on_the_smallest_sets(order, state, shape):
    view = CellView(
        class_names=tuple("abc"[: shape[1]]),
        states=np.full(shape, state, dtype=np.int8),
        scores=np.full(shape, 0.25, dtype=np.float16),
        proposals=np.zeros(shape, dtype=np.int8),
        run=0,
    )
    queue = Queue(view, QueueSpec(order=order, only_proposals=False))
    assert len(queue) == (shape[0] * shape[1] if state == 0 else 0) or order == "conflicts"
    assert queue.page(0, 5).tolist() == queue.cells[:5].tolist()


@pytest.mark.parametrize("order", ORDERS)
def test_before_the_first_run_every_unknown_cell_waits(order):
    states = np.array([[0, 1], [0, 0], [-1, 0]], dtype=np.int8)
    queue = Queue(CellView(("a", "b"), states), QueueSpec(order=order))
    assert sorted(queue.cells.tolist()) == [0, 2, 3, 5]
    if order == "rarest":
        assert queue.cells.tolist() == [0, 2, 3, 5]


def test_a_sign_without_scores_matches_nothing():
    view = CellView(("a",), np.zeros((3, 1), dtype=np.int8))
    assert len(Queue(view, QueueSpec(sign=1))) == 0


def test_next_cells_passes_over_what_was_settled_kept_unsure_or_leased():
    states = np.zeros((1000, 1), dtype=np.int8)
    states[999] = 1
    scores = np.linspace(0.5, 0.0, 1000).astype(np.float16)[:, np.newaxis]
    view = CellView(("a",), states.copy(), scores, run=1)
    queue = Queue(view, QueueSpec(order="conflicts", only_proposals=False))
    first = queue.cells[0]
    assert first == 999
    states[queue.cells[1:700], 0] = -1
    unsure = np.full((1000, 1), -1, dtype=np.int32)
    unsure[queue.cells[700], 0] = 1
    unsure[queue.cells[701], 0] = 0
    now = CellView(("a",), states, scores, unsure_run=unsure, run=1)
    cells, position = queue.next_cells(0, 3, now, skip={int(queue.cells[702])})
    assert cells.tolist() == [999, queue.cells[701], queue.cells[703]]
    assert position == 704
    kept = np.zeros((1000, 1), dtype=np.bool_)
    kept[999] = True
    cells, _ = queue.next_cells(0, 1, dataclasses.replace(now, dismissed=kept))
    assert cells.tolist() == [queue.cells[701]]
    rest, end = queue.next_cells(position, 10_000, now)
    assert rest.tolist() == queue.cells[704:].tolist()
    assert end == len(queue)
    assert queue.next_cells(end, 5, now)[0].tolist() == []
    assert int(queue.waiting(queue.cells, now).sum()) == 1000 - 700


@pytest.mark.parametrize("order", ORDERS)
def test_segments_join_without_gap_or_repetition(make_view, order, monkeypatch):
    view = make_view(300, 5)
    whole = Queue(view, QueueSpec(order=order, only_proposals=False)).cells
    monkeypatch.setattr("logicmix_studio.review.queue._SEGMENT", 17)
    queue = Queue(view, QueueSpec(order=order, only_proposals=False))
    assert queue.cells.tolist() == whole.tolist()
    assert len(set(whole.tolist())) == len(whole) == len(queue)
    pages = [queue.page(start, 23).tolist() for start in reversed(range(0, len(queue), 23))]
    assert [cell for page in reversed(pages) for cell in page] == whole.tolist()
    walked, position = [], 0
    while position < len(queue):
        cells, position = queue.next_cells(position, 7, view)
        walked += cells.tolist()
    assert walked == whole.tolist()


def test_page_ends_with_the_queue(view):
    queue = Queue(view, QueueSpec())
    assert queue.page(len(queue) - 2, 50).tolist() == queue.cells[-2:].tolist()
    assert queue.page(len(queue), 50).tolist() == []
    assert queue.page(-3, 2).tolist() == queue.cells[:2].tolist()


def test_an_unknown_class_is_named(view):
    with pytest.raises(StudioError, match="'unicorn'"):
        Queue(view, QueueSpec(class_names=("unicorn",)))
