"""A simulated person reviews as a program does while the server is killed again and again."""

from __future__ import annotations

import math
import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from logicmix_studio.evaluation.annotator import SimulatedAnnotator
from logicmix_studio.labels import UNKNOWN, LabelTable
from logicmix_studio.store import Ledger, load_table, locate_workspace, read_journal
from tests.review_server import ServerProcess, connect
from tests.workspaces import CLASS_NAMES, add_run, make_workspace

NUM_IMAGES = 500
KILLS = int(os.environ.get("LOGICMIX_KILLS", "3"))
"""More by command."""
CELLS = min(2000, 130 * KILLS)
ERROR_RATE = 0.02
PAGE = 24
GRID_EVERY = 12
"""One page of tiles among so many actions."""
UNDO_SHARE = 0.04

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class Killer:
    """Kills the server at a random moment after being told to."""

    def __init__(self, server: ServerProcess, dice: random.Random) -> None:
        self.server = server
        self.dice = dice
        self.count = 0
        self._thread: threading.Thread | None = None

    def strike(self) -> None:
        """Kill within some milliseconds: before, amid or after the next requests."""
        assert self._thread is None
        timer = threading.Timer(self.dice.random() * 0.05, self.server.kill)
        timer.start()
        self._thread = timer
        self.count += 1

    def settle(self) -> bool:
        """Bring the server back if it was told to fall; return whether it was."""
        if self._thread is None:
            return False
        self._thread.join()
        self._thread = None
        self.server.start()
        return True


@dataclass
class Person:
    """Answers like the annotator, keeps every request until it was acknowledged, and remembers what must be true."""

    killer: Killer
    annotator: SimulatedAnnotator
    table: LabelTable
    dice: random.Random
    states: npt.NDArray[np.int8] = field(init=False)
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    past: list[list[tuple[int, int]]] = field(default_factory=list)
    undone: list[list[tuple[int, int]]] = field(default_factory=list)
    retries: int = 0
    number: int = 0
    client: Client | None = None

    def __post_init__(self) -> None:
        self.states = self.table.states.copy()
        self.row_of = {image_id: row for row, image_id in enumerate(self.table.image_ids)}

    def ask(self, name: str, **arguments: Any) -> Any:
        """Ask until it is acknowledged, as the page's outbox does."""
        while True:
            try:
                if self.client is None:
                    self.client = connect(self.killer.server.url)
                return self.client.predict(**arguments, api_name=f"/{name}")
            except AppError:
                raise
            except Exception:  # whatever a connection that breaks anywhere raises
                if not self.killer.settle():
                    raise
                self.retries += 1
                self.client = None

    def act(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Ask for an action with an id of its own."""
        self.number += 1
        action_id = f"action-{self.number:06d}"
        reply: dict[str, Any] = self.ask(name, **arguments, action_id=action_id)
        self.acknowledged[action_id] = {"name": name, **arguments}
        return reply

    def next_items(self, **query: Any) -> list[dict[str, Any]]:
        """Take cells to answer."""
        items: list[dict[str, Any]] = self.ask("questions", **query)["cells"]
        return items

    def answer(self, items: list[dict[str, Any]], origin: str) -> None:
        """Answer one card or a page of tiles."""
        cells = [self._cell(item) for item in items]
        reply = self.act("decide", origin=origin, run=items[0]["run"], cells=cells)
        assert reply["skipped"] == []
        before = []
        for image, name, state, _, _ in cells:
            flat = self.row_of[image] * len(CLASS_NAMES) + CLASS_NAMES.index(name)
            before.append((flat, int(self.states.ravel()[flat])))
            self.states.ravel()[flat] = state
        self.past.append(before)
        self.undone.clear()

    def undo(self) -> None:
        """Take the last action back."""
        self.act("undo")
        cells = self.past.pop()
        self.undone.append([(flat, int(self.states.ravel()[flat])) for flat, _ in cells])
        for flat, state in cells:
            self.states.ravel()[flat] = state

    def redo(self) -> None:
        """Bring the action back that was undone last."""
        self.act("redo")
        cells = self.undone.pop()
        self.past.append([(flat, int(self.states.ravel()[flat])) for flat, _ in cells])
        for flat, state in cells:
            self.states.ravel()[flat] = state

    def answered(self) -> int:
        """Return how many cells stand answered."""
        return int((self.states != self.table.states).sum())

    def _cell(self, item: dict[str, Any]) -> list[Any]:
        image_id, name = item["image_id"], item["class_name"]
        state = int(self.annotator.answer(self.row_of[image_id], CLASS_NAMES.index(name)))
        kind = "set" if not item["claim"] else "accept" if state == item["claim"] else "reject"
        return [image_id, name, state, kind, item["score"]]


def review(person: Person) -> Iterator[int]:
    """Review cell by cell and page by page, with an undo or redo now and then; yield after each action."""
    queue: list[dict[str, Any]] = []
    place = 0
    while person.answered() < CELLS:
        place += 1
        if person.past and person.dice.random() < UNDO_SHARE:
            person.undo()
            if person.dice.random() < 0.5:
                person.redo()
            queue = []
        elif place % GRID_EVERY == 0:
            name = person.dice.choice(CLASS_NAMES)
            items = person.next_items(order="confident", class_name=name, sign=1, limit=PAGE)
            if items:
                person.answer(items, "grid")
            queue = []
        else:
            queue = queue or person.next_items(order="random", scope="open", limit=40)
            person.answer([queue.pop()], "stream")
        yield person.answered()


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """Return a person at a running server."""
    root = tmp_path / "shapes"
    make_workspace(root, num_images=NUM_IMAGES, known_proportion=0.1, trial=True, side=16, draw_every=NUM_IMAGES)
    workspace = locate_workspace(root)
    complete = load_table(workspace.complete_file)
    dice = random.Random(5)
    with ServerProcess(root) as server:
        # Another seed than the random order of the queue has: else the wrong answers come first.
        annotator = SimulatedAnnotator(complete.states, ERROR_RATE, seed=1)
        yield Person(Killer(server, dice), annotator, load_table(workspace.labels_file), dice)


def test_review__nothing_acknowledged_is_lost_or_written_twice(person: Person) -> None:
    server = person.killer.server
    workspace = locate_workspace(server.root)
    truth = load_table(workspace.complete_file).states
    strikes = iter([round(CELLS * (share + 0.5) / KILLS) for share in range(KILLS)])
    following: float = next(strikes)
    for answered in review(person):
        if answered >= following:
            person.killer.strike()
            add_run(workspace, person.table, truth, run=person.killer.count + 1, noise=0.35, seed=answered)
            following = next(strikes, math.inf)
    person.killer.settle()
    for _ in range(20):
        person.undo()
    server.kill()

    lines = list(read_journal(workspace.journal_file))
    ledger = Ledger(person.table, lines)
    times_written = Counter(line.id for line in lines)
    assert person.killer.count == KILLS
    assert person.retries >= KILLS
    assert set(times_written) == set(person.acknowledged)
    assert set(times_written.values()) == {1}
    by_id = {line.id: line for line in lines}
    for action_id, action in person.acknowledged.items():
        if action["name"] == "decide":
            written = [[c.image_id, c.class_name, c.after.state, c.answer] for c in by_id[action_id].cells]
            assert written == [cell[:4] for cell in action["cells"]]
    np.testing.assert_array_equal(ledger.states, person.states)
    assert len({line.run for line in lines}) > 2, "the scores were not swapped while people answered"

    answered = (ledger.states != UNKNOWN) & (person.table.states == UNKNOWN)
    errors = (ledger.states[answered] != truth[answered]).mean()
    assert 0.005 < errors < 0.04
