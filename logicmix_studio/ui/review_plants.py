"""Planted suggestions: known cells shown with the wrong pseudo-label, to see whether agreeing has become a habit.

An answer to one is a note in the journal and changes no cell.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from logicmix_studio.review import CellView, RubberStamp, plant_suggestions, rubber_stamp
from logicmix_studio.store import Decision, Line, Receipt
from logicmix_studio.studio import Studio
from logicmix_studio.ui.review_actions import ACTION

PLANT_EVERY = 40
"""One planted suggestion among so many cards, on average; the setting ``plant_every`` changes it, 0 ends it."""


class Plants:
    """Which wrong suggestions each person has been shown.

    Args:
        studio: The studio.
        seed: Of the draw; different at each start unless given.
    """

    def __init__(self, studio: Studio, seed: int | None = None) -> None:
        self.studio = studio
        self._random = random.Random(seed)
        self._splits = np.array(studio.table.splits, dtype=np.str_)
        self._open: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)

    def mix_in(self, who: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the items with now and then a wrong suggestion among them.

        Args:
            who: The person who will see them.
            items: What the screen shows; not changed.
        """
        every = int(self.studio.settings.get("plant_every", PLANT_EVERY))
        if every < 1:
            return items
        mixed: list[dict[str, Any]] = []
        for item in items:
            if item["claim"] and self._random.random() * every < 1.0:
                planted = self._draw(item)
                shown = self._open[who]
                if planted is not None and (planted["image"], planted["class"]) not in shown:
                    shown[planted["image"], planted["class"]] = planted["claim"]
                    mixed.append(planted)
            mixed.append(item)
        return mixed

    def answer(
        self, decision: Decision, *, who: str, origin: str, action_id: str, extra: Mapping[str, Any]
    ) -> Receipt | None:
        """Note the answer to a planted suggestion; None where the cell was none.

        Args:
            decision: The answer as it arrived.
            who: The person.
            origin: Where the person was.
            action_id: The same id twice is one note.
            extra: Facts beside the answer.

        Raises:
            StudioError: If the disk refuses.
        """
        ledger = self.studio.ledger
        with ledger.lock:
            claim = self._open[who].pop((decision.image_id, decision.class_name), None)
            if claim is None:
                return None
            fact = {
                "image": decision.image_id,
                "class": decision.class_name,
                "claim": claim,
                "answer": decision.answer,
            }
            content = {**extra, ACTION: action_id, "plant": fact}
            return ledger.note("planted suggestion answered", who=who, origin=origin, extra=content)

    def _draw(self, like: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a wrong suggestion of the same class, sign and score as an item, so that nothing gives it away."""
        current = self.studio.current
        if current is None:
            return None
        table, column = self.studio.table, self.studio.ledger.column_of[like["class"]]
        one_class = CellView(
            class_names=(like["class"],),
            states=self.studio.ledger.states[:, column : column + 1],
            scores=current.scores[:, column : column + 1],
            splits=self._splits,
            run=current.run,
        )
        drawn = plant_suggestions(one_class, 1, self._random.getrandbits(32), sign=like["claim"])
        if not len(drawn.cells):
            return None
        row = int(drawn.cells[0])
        return {
            **like,
            "cell": row * table.num_classes + column,
            "image": table.image_ids[row],
            "path": table.paths[row],
            "state": 0,
        }


def count_plants(lines: Iterable[Line], is_withdrawn: Callable[[int], bool]) -> list[RubberStamp]:
    """Return, for each person, how many planted suggestions were accepted.

    Args:
        lines: The journal.
        is_withdrawn: Tells whether a note was taken back.
    """
    shown: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for line in lines:
        plant = line.extra.get("plant")
        if line.kind != "note" or not plant or is_withdrawn(line.seq):
            continue
        if plant["answer"] in ("accept", "reject"):
            shown[line.who] += 1
            accepted[line.who] += plant["answer"] == "accept"
    return [rubber_stamp(who, accepted[who], shown[who]) for who in sorted(shown)]
