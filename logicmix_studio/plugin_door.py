"""The way from the FiftyOne App into the studio: through the server that serves it, or by opening it.

Both ways end in the same journal. This module knows no FiftyOne; the plugin is forms and forwarding over it.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from logicmix_studio.errors import StudioError
from logicmix_studio.store import Decision, Receipt, ServerInfo, Workspace, new_action_id, server_of
from logicmix_studio.store.fiftyone.attach import attach
from logicmix_studio.store.fiftyone.mongod import Mongod
from logicmix_studio.studio import Studio, current_user

ORIGIN = "fiftyone"
REQUEST_SECONDS = 30.0
FLUSH_SECONDS = 30.0


@dataclass(frozen=True)
class Answered:
    """What became of some answers."""

    cells: int
    """How many are in the journal."""
    skipped: int
    """How many were left out because somebody had settled the cell meanwhile."""
    seq: int | None
    """The journal line."""


class Door(Protocol):
    """What the plugin asks of the studio."""

    def decide(self, decisions: Sequence[Decision], run: int | None) -> Answered:
        """Write answers as one action."""

    def train(self, recipe: str) -> int:
        """Start a run and return its number."""


@contextmanager
def open_door(workspace: Workspace) -> Iterator[Door]:
    """Give the way into a workspace: its server's where one serves it, else the workspace itself.

    Raises:
        StudioError: Another program holds the workspace and serves nothing.
    """
    server = server_of(workspace)
    if server is not None and server.url:
        yield ServerDoor(server)
        return
    with Studio(workspace) as studio:
        yield StudioDoor(studio)


class ServerDoor:
    """Asks the studio's server, which writes journal and data set."""

    def __init__(self, server: ServerInfo, *, seconds: float = REQUEST_SECONDS) -> None:
        self.server = server
        self.seconds = seconds

    def decide(self, decisions: Sequence[Decision], run: int | None) -> Answered:
        """Write answers as one action.

        Raises:
            StudioError: The server refuses or does not answer.
        """
        rows = [[one.image_id, one.class_name, one.state, one.answer, one.score] for one in decisions]
        asked = {"id": new_action_id(), "who": current_user(), "origin": ORIGIN, "run": run, "cells": rows}
        told = self._post("/api/cells/decide", asked)
        return Answered(int(told["cells"]), len(told.get("skipped", ())), told.get("seq"))

    def train(self, recipe: str) -> int:
        """Start a run and return its number.

        Raises:
            StudioError: The server refuses or does not answer.
        """
        return int(self._post("/api/train/start", {"recipe": recipe})["run"])

    def _post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  # the address stands in our own server.json
            self.server.url.rstrip("/") + path,
            data=json.dumps(content).encode(),
            headers={
                "Content-Type": "application/json",
                "X-LogicMix-Token": self.server.token,
                "X-LogicMix-Person": current_user(),
            },
        )
        # A proxy set for the outside world must not be asked for a server on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=self.seconds) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            raise _refusal(error) from error
        except (OSError, ValueError) as error:
            raise StudioError(
                f"The studio at {self.server.url} does not answer: {error}",
                "Look whether its page still works, or start it again with `logicmix-studio launch`.",
            ) from error


class StudioDoor:
    """Writes into a workspace that nobody serves, journal first, then the data set."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def decide(self, decisions: Sequence[Decision], run: int | None) -> Answered:
        """Write answers as one action.

        Raises:
            StudioError: An answer is refused, or the database cannot be had.
        """
        ledger = self.studio.ledger
        receipt: Receipt = ledger.decide(decisions, who=self.studio.who, origin=ORIGIN, run=run)
        mirror = attach(self.studio.workspace, self.studio.table, Mongod(self.studio.workspace.database))
        mirror.start()
        mirror.replay(ledger.lines)
        mirror.close(FLUSH_SECONDS)
        line = receipt.line
        cells, seq = (0, None) if line is None else (len(line.cells), line.seq)
        return Answered(cells, len(receipt.skipped), seq)

    def train(self, recipe: str) -> int:
        """Start a run and return its number.

        Raises:
            StudioError: It cannot be started.
        """
        return self.studio.start_run(recipe)


def workspace_of(info: dict[str, Any]) -> Workspace:
    """Return the workspace that a FiftyOne data set belongs to.

    Args:
        info: The data set's ``info``.

    Raises:
        StudioError: It belongs to none, or its folder is gone.
    """
    ours = info.get("logicmix")
    if not ours:
        raise StudioError(
            "This data set does not belong to LogicMix Studio.",
            "Open one that `logicmix-studio fiftyone DIR` made.",
        )
    workspace = Workspace(root=Path(ours["root"]), folder=Path(ours["workspace"]))
    if not workspace.exists:
        raise StudioError(
            f"The workspace {workspace.folder} is gone.", "Launch the studio on the folder's new place once."
        )
    return workspace


def _refusal(error: urllib.error.HTTPError) -> StudioError:
    try:
        told = json.load(error)
        return StudioError(str(told["error"]), str(told.get("hint", "")))
    except (ValueError, KeyError, TypeError):
        return StudioError(f"The studio refused with {error.code} {error.reason}.", "See the server's log.")
