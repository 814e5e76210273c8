"""How long a review waits: queues, pages, sliders and audits over synthetic cells.

Run it alone and on one thread:

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_review.py --images 100000 --classes 80

It prints a table, then one JSON object a line. Times are of processor use, so that other work on the
machine counts little.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator

import numpy as np

from logicmix_studio.review.calibration import Calibration, apply_calibration
from logicmix_studio.review.cells import CellView
from logicmix_studio.review.evidence import Sample, further_answers, group_claims, prove
from logicmix_studio.review.likeliest import likeliest_sums
from logicmix_studio.review.proposals import Thresholds, conflict_mask, propose
from logicmix_studio.review.queue import Queue
from logicmix_studio.review.queue_spec import ORDERS, QueueSpec
from logicmix_studio.review.usefulness import blend_difference

AIM_QUEUE_MS = 1000.0
AIM_PAGE_MS = 20.0

Figure = tuple[str, float, float | None]
"""What was timed, milliseconds, and the most it may take."""


def make_view(num_images: int, num_classes: int) -> CellView:
    """Return cells of which a tenth is known, with scores gathered at both ends."""
    rng = np.random.default_rng(0)
    shape = (num_images, num_classes)
    drawn = rng.random(shape, dtype=np.float32)
    states = (drawn < 0.02).astype(np.int8) - (drawn > 0.92).astype(np.int8)
    scores = rng.beta(0.15, 0.4, size=shape).astype(np.float16)
    splits = rng.choice(np.array(["train", "test"]), size=num_images, p=[0.95, 0.05])
    proposals = propose(scores, states, Thresholds.constant(num_classes), splits == "test")
    return CellView(
        class_names=tuple(f"class {index}" for index in range(num_classes)),
        states=states,
        scores=scores,
        proposals=proposals,
        previous=np.roll(proposals, 1, axis=0),
        splits=splits,
        shown=np.zeros(shape, dtype=np.bool_),
        unsure_run=np.full(shape, -1, dtype=np.int32),
        dismissed=np.zeros(shape, dtype=np.bool_),
        run=1,
    )


def best_ms(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest of several times, in milliseconds of one core."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def worst_page_ms(queue: Queue, view: CellView) -> float:
    """Return the longest time that the next 50 cells took, over more than one segment."""
    times = []
    position = 0
    for _ in range(1500):
        start = time.process_time()
        _, position = queue.next_cells(position, 50, view, skip=frozenset(range(0, 4000, 7)))
        times.append(time.process_time() - start)
    return 1000 * max(times)


def queue_figures(view: CellView, repeats: int) -> Iterator[Figure]:
    """Time every order over all unknown cells, and the next page of each."""
    for order in ORDERS:
        for only_proposals in (True, False):
            spec = QueueSpec(order=order, only_proposals=only_proposals)
            queue = Queue(view, spec)
            cells = "pseudo-labels" if only_proposals else "all unknown"
            label = f"queue {order}, {cells} ({len(queue):,})"
            yield label, best_ms(lambda spec=spec: Queue(view, spec), repeats), AIM_QUEUE_MS
            yield f"next 50, {order}, {cells}", worst_page_ms(queue, view), AIM_PAGE_MS
    narrow = QueueSpec(order="confident", changes="flipped", sign=1, score_low=0.6, never_shown=True)
    yield (
        "queue of flipped, never shown, one band",
        best_ms(lambda: Queue(view, narrow), repeats),
        AIM_QUEUE_MS,
    )
    settled = CellView(view.class_names, np.ones_like(view.states), view.scores, run=view.run)
    last = view.states.copy()
    queue = Queue(view, QueueSpec())
    last.ravel()[queue.cells[:-50]] = 1
    almost = CellView(view.class_names, last, view.scores, run=view.run)
    yield (
        "next 50, all but 50 settled",
        best_ms(lambda: queue.next_cells(0, 50, almost), repeats),
        None,
    )
    yield "next 50, all settled", best_ms(lambda: queue.next_cells(0, 50, settled), repeats), None


def other_figures(view: CellView, repeats: int) -> Iterator[Figure]:
    """Time what happens around the queues."""
    assert view.scores is not None
    scores, num_classes = view.scores, view.num_classes
    thresholds = Thresholds.constant(num_classes, 0.9, 0.97)
    yield "propose", best_ms(lambda: propose(scores, view.states, thresholds), repeats), None
    bend = Calibration((-20.0, 0.3, 20.0), (-28.0, 0.0, 14.0))
    yield "calibrate", best_ms(lambda: apply_calibration(scores, bend), repeats), None
    is_unknown = view.states == 0
    yield "likeliest page of each class", best_ms(lambda: likeliest_sums(scores, is_unknown, 24), repeats), None
    yield "conflicts", best_ms(lambda: conflict_mask(view.states, scores), repeats), None
    is_open = np.ones(int((view.proposals == -1).sum()), dtype=np.bool_)
    parts = (is_open, np.arange(len(is_open)) % 5 != 0)
    samples = [Sample(1 + i, 59 / len(is_open), covers, 59, 59) for i, covers in enumerate(parts)]
    yield "claims by the audits that cover them", best_ms(lambda: group_claims(is_open, samples), repeats), None
    claims, _ = group_claims(is_open, samples)
    yield "what audits prove", best_ms(lambda: prove(claims, 0.95), repeats), None
    yield "how many answers are needed", best_ms(lambda: further_answers(claims, 0.98), repeats), None
    after = np.where(view.states == 0, view.proposals, view.states).astype(np.int8)
    yield "blends settled", best_ms(lambda: blend_difference(view.states, after), repeats), None


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    view = make_view(arguments.images, arguments.classes)
    figures = [*queue_figures(view, arguments.repeats), *other_figures(view, arguments.repeats)]
    for label, found, aim in figures:
        against = "" if aim is None else f"{aim:>8.0f}"
        print(f"{label:<58}{found:>10.2f} ms{against}")
    setting = {"images": arguments.images, "classes": arguments.classes, "machine": platform.machine()}
    for label, found, aim in figures:
        print(json.dumps({"figure": label, "ms": round(found, 3), "aim_ms": aim} | setting))


if __name__ == "__main__":
    main()
