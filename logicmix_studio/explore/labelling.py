"""One image at a time with all its classes: which comes next, and what a person said of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.images import ImageService
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.cell_hash import cell_hash
from logicmix_studio.review.leases import LeaseTable
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.review.proposals import propose
from logicmix_studio.store import Dataset, Decision, Line, Receipt

ORDERS: Final = ("in order", "at random", "most uncertain", "like these")
RESTS: Final = ("absent", "unknown")
RECENT: Final = 10
ORDERS_KEPT: Final = 8
_ORIGIN: Final = "label"
_SEED: Final = 0
SAMPLE: Final = 1000
"""Images whose mean stands for all: what most images have in common tells nothing about a class."""
PASSED: Final = "All that is left are photographs that you skipped or left partly unknown."
INCOMPLETE: Final = "Something is known of every photograph; some still have classes that nobody looked for."
COMPLETE: Final = "Every class of every photograph is known: nothing is left to label."

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelImage:
    """One image with everything that is known and claimed of it, by class name.

    Pseudo-labels and scores, in [0, 1], only where there are any; split test shows none of them, because it measures.
    """

    image_id: str
    path: str
    split: str
    states: dict[str, int]
    claims: dict[str, int]
    scores: dict[str, float]


@dataclass(frozen=True)
class LabelBatch:
    """The next images of a queue."""

    images: list[LabelImage]
    lost: list[str]
    """Images that the screen still shows, but that somebody else holds by now."""
    left: int
    """Images that wait, whoever holds them; ``left_test`` of them are of split test and come last."""
    left_test: int
    passed: int
    """Images that this person skipped or left partly unknown; ``complete`` ones have no unknown cell."""
    complete: int
    note: str
    """What a person should know of this order; ``empty``: why no image came. Both are often without words."""
    empty: str


class LabelService:
    """Hands out images that have unknown cells, and takes what a person said of all classes of one."""

    def __init__(self, dataset: Dataset, proposed: ProposalSet, images: ImageService) -> None:
        self._dataset, self._proposed, self._images = dataset, proposed, images
        self._leases = LeaseTable()
        self._passed: dict[str, set[int]] = defaultdict(set)
        self._recent: dict[str, dict[int, None]] = defaultdict(dict)
        self._sorted = lru_cache(maxsize=ORDERS_KEPT)(self._sort)
        with dataset.ledger.lock:
            for line in dataset.ledger.lines:
                self._see(line)
            dataset.ledger.listen(self._see)

    def next(
        self,
        order: str = ORDERS[0],
        class_name: str | None = None,
        nothing_known: bool = False,
        *,
        who: str,
        holder: str = "",
        want: int = 12,
        have: Sequence[str] = (),
        again: bool = False,
    ) -> LabelBatch:
        """Lease the next images to one screen of one person; complete ones never come, split test comes last.

        The order is one of :data:`ORDERS`; "like these" begins with the images most like those known to show a class.
        The leases of what the screen still has are renewed, its others end; another window of the same person
        (``holder``) gets other images. What the person skipped or left partly unknown comes only ``again``.

        Raises:
            StudioError: If there is no such order, class or image.
        """
        rows, note = self._ordered(order, class_name)
        if again:
            self._passed.pop(who, None)
        now, name, table = time.monotonic(), f"{who}/{holder}", self._dataset.table
        held = [self._dataset.row_of(image_id) for image_id in have]
        lost_rows = self._leases.renew(name, held, now)
        num_known = np.count_nonzero(self._dataset.states, axis=1)
        waits = (num_known == 0) & (table.num_classes > 0) if nothing_known else num_known < table.num_classes
        passed = [row for row in tuple(self._passed[who]) if waits[row]]
        waits[passed] = False
        rows = rows[waits[rows]]
        rows = rows[np.argsort(table.is_test[rows], kind="stable")]
        taken = self._leases.acquire(name, map(int, rows), want, now)
        complete = int((num_known == table.num_classes).sum())
        waiting = f"What is left is on other people's screens: {len(rows):,}." if len(rows) else ""
        why = waiting or (PASSED if passed else INCOMPLETE if complete < table.num_images else COMPLETE)
        images, lost = [self._image(row) for row in taken], [table.image_ids[row] for row in lost_rows]
        left, left_test, empty = len(rows), int(table.is_test[rows].sum()), "" if taken else why
        return LabelBatch(images, lost, left, left_test, len(passed), complete, note, empty)

    def image_of(self, line: Line) -> LabelImage | None:
        """Return the image that a journal line of this service speaks of; None for any other line."""
        row = self._row(line)
        return None if row is None else self._image(row)

    def recent(self, who: str) -> list[LabelImage]:
        """Return the images that a person labelled last, oldest first, at most :data:`RECENT`."""
        return [self._image(row) for row in tuple(self._recent[who])[-RECENT:]]

    def skip(self, image_id: str, who: str) -> None:
        """Show an image to a person no more until it is asked for again; nothing is written."""
        self._passed[who].add(self._dataset.row_of(image_id))

    def label(
        self,
        image_id: str,
        present: Collection[str],
        rest: str = RESTS[0],
        *,
        who: str,
        absent: Collection[str] = (),
        changed: Collection[str] = (),
        filled: Collection[str] = (),
        action_id: str | None = None,
        ms: int | None = None,
    ) -> Receipt:
        """Write what a person said of one image: one journal line, one undo.

        ``rest`` is what becomes of unknown cells that are not named: "absent" or "unknown". Known cells that are
        contradicted are left alone and reported as skipped, unless they are named in ``changed``, too. ``filled`` are
        those of ``present`` that come from a pseudo-label and that the person left as they were.

        Raises:
            StudioError: If an image, a class or ``rest`` is unknown, or a class is both present and absent.
        """
        if rest not in RESTS:
            raise StudioError(f"unknown rest {rest!r}", "the rest is absent or unknown")
        if both := {*present} & {*absent}:
            raise StudioError(f"{min(both)!r} cannot be both present and absent", "name it once")
        ledger, row = self._dataset.ledger, self._dataset.row_of(image_id)
        wanted = dict.fromkeys(map(self._dataset.column_of, present), POSITIVE)
        wanted |= dict.fromkeys(map(self._dataset.column_of, absent), NEGATIVE)
        decisions: list[Decision] = []
        skipped: list[Decision] = []
        with ledger.lock:
            image = self._image(row)
            for column, (name, before) in enumerate(image.states.items()):
                state = wanted.get(column, NEGATIVE if rest == "absent" and before == UNKNOWN else before)
                answer = "accept" if name in filled and before == UNKNOWN and state == POSITIVE else "set"
                if state != before:
                    is_settled = before != UNKNOWN and name not in changed
                    decision = Decision(image_id, name, state, answer, image.scores.get(name))
                    (skipped if is_settled else decisions).append(decision)
            used = [decision.class_name for decision in decisions if decision.answer == "accept"]
            extra = {"image": image_id, "rest": rest, "filled": used, "ms": ms}
            told: dict[str, Any] = {"action_id": action_id, "run": self._proposed.choice()[0], "extra": extra}
            receipt = ledger.decide(decisions, who=who, origin=_ORIGIN, always=rest == "unknown", **told)
        return receipt if receipt.repeated else replace(receipt, skipped=tuple(skipped))

    def about(self, class_name: str, count: int = 3) -> tuple[str, list[str]]:
        """Return what people wrote of a class, and images known to show it and little else."""
        states = self._dataset.states
        rows = np.flatnonzero(states[:, self._dataset.column_of(class_name)] == POSITIVE)
        rows = rows[np.argsort((states[rows] == POSITIVE).sum(axis=1), kind="stable")][:count]
        words = self._dataset.settings.get("descriptions", {}).get(class_name, "")
        return words, [self._dataset.image_ids[row] for row in rows]

    def describe(self, class_name: str, text: str) -> None:
        """Keep what a class means; an empty text removes it."""
        self._dataset.column_of(class_name)
        texts = {**self._dataset.settings.get("descriptions", {}), class_name: text.strip()}
        self._dataset.settings.update({"descriptions": {name: said for name, said in texts.items() if said}})

    def _image(self, row: int) -> LabelImage:
        table, states, current = self._dataset.table, self._dataset.states[row].copy(), self._proposed.current
        names, part = table.class_names, slice(row, row + 1)
        claims, scores = np.zeros_like(states), {}
        if current is not None and not table.is_test[row]:
            unsure, cuts = self._dataset.ledger.unsure_run[part], self._proposed.thresholds
            claims = propose(current.scores[part], states[None], cuts, None, unsure, current.run)[0]
            scored = np.flatnonzero(current.is_scored[row])
            scores = {names[i]: round(float(current.scores[row, i]), 4) for i in scored}
        known = dict(zip(names, states.tolist(), strict=True))
        said = {names[i]: int(claims[i]) for i in np.flatnonzero(claims)}
        return LabelImage(table.image_ids[row], table.paths[row], table.splits[row], known, said, scores)

    def _ordered(self, order: str, class_name: str | None) -> tuple[Rows, str]:
        """Return all rows in an order, and what is to be said of it; sorted anew only where it may have changed."""
        if order not in ORDERS:
            raise StudioError(f"unknown order {order!r}", f"orders are: {', '.join(ORDERS)}")
        shown = b""
        if order == "like these":
            shown = (self._dataset.states[:, self._dataset.column_of(class_name or "")] == POSITIVE).tobytes()
        return self._sorted(order, class_name, shown, self._proposed.version[0])

    def _sort(self, order: str, class_name: str | None, shown: bytes, version: int) -> tuple[Rows, str]:
        """Sort anew, by images known to show a class; the version only tells what was remembered apart."""
        rows, current = np.arange(self._dataset.table.num_images), self._proposed.current
        if order == "in order":
            return rows, ""
        if order == "most uncertain":
            if current is None:
                return rows, "No run has scored these photographs yet: they come in order."
            wrong = np.minimum(current.scores, 1 - current.scores) * (self._dataset.states == UNKNOWN)
            return np.argsort(-wrong.sum(axis=1, dtype=np.float32), kind="stable"), ""
        at_random = np.argsort(cell_hash(rows, _SEED), kind="stable")
        if order == "at random":
            return at_random, ""
        ids = [self._dataset.image_ids[row] for row in np.flatnonzero(np.frombuffer(shown, dtype=np.bool_))]
        if not ids:
            return at_random, f"No photograph is known to show {class_name} yet: at random until one is."
        found = next(filter(None, map(self._images.features.of_image, ids)), None)
        if found is None:
            return at_random, "No run has looked at these photographs yet: at random until one is trained."
        features = found[1]
        seen = [features.row_of[image_id] for image_id in ids if image_id in features.row_of]
        some = features.vectors[:: max(1, len(features.vectors) // SAMPLE)]
        direction = _mean_direction(features.vectors[seen]) - _mean_direction(some)
        cosines = dict(zip(features.image_ids, features.cosines(direction), strict=True))
        nearness = np.array([cosines.get(image_id, -2.0) for image_id in self._dataset.image_ids])
        return np.lexsort(
            (-nearness, self._dataset.states[:, self._dataset.column_of(class_name or "")] != UNKNOWN)
        ), ""

    def _row(self, line: Line) -> int | None:
        is_ours = line.origin == _ORIGIN
        return self._dataset.ledger.row_of.get(line.extra.get("image", "")) if is_ours else None

    def _see(self, line: Line) -> None:
        """Follow the journal: what a person labelled last, and what was left partly unknown."""
        said = self._dataset.ledger.target(line)
        row = None if said is None else self._row(said)
        if said is None or row is None:
            return
        self._recent[said.who].pop(row, None)
        self._passed[said.who].discard(row)
        if line.kind != "undo":
            self._recent[said.who][row] = None
            if said.extra.get("rest") == "unknown":
                self._passed[said.who].add(row)


def _mean_direction(vectors: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    wide = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray((wide / np.maximum(lengths, 1e-12)).mean(axis=0))
