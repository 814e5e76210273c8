"""The plugin's way into the studio: through the server that holds a workspace, or by opening it.

Both ways end in the same journal. No FiftyOne here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from gradio_client import Client
from gradio_client.exceptions import AppError

from logicmix_studio.errors import StudioError
from logicmix_studio.store import Decision, ServerInfo, Workspace, new_action_id, server_of
from logicmix_studio.studio import Studio, current_user

ORIGIN: Final = "fiftyone"
REQUEST_SECONDS: Final = 30.0


class StudioClient(Protocol):
    """What the plugin asks of the studio; a `StudioError` says why it refuses, or that it does not answer."""

    def decide(self, decisions: Sequence[Decision], run: int | None, expected: int | None = None) -> tuple[int, int]:
        """Write answers to a run's pseudo-labels as one action; return how many count, and how many were settled.

        ``expected`` is how many cells the person was told: of another number none is written.
        """

    def undo(self) -> int:
        """Undo this person's last action; return how many cells changed."""

    def train(self, recipe: str) -> int:
        """Start a run and return its number."""


@contextlib.contextmanager
def connect(workspace: Workspace) -> Iterator[StudioClient]:
    """Yield the way into a workspace: its server's where one serves it, else the workspace itself.

    Raises:
        StudioError: Another program holds the workspace and serves nothing.
    """
    server = server_of(workspace)
    if server is not None and server.url:
        yield ServerClient(server)
        return
    with Studio(workspace) as studio:
        yield LocalClient(studio)


class ServerClient:
    """Asks the studio's server, which writes journal and data set."""

    def __init__(self, server: ServerInfo, *, seconds: float = REQUEST_SECONDS) -> None:
        self.server = server
        self.seconds = seconds

    def decide(self, decisions: Sequence[Decision], run: int | None, expected: int | None = None) -> tuple[int, int]:
        """Write answers as one action."""
        cells = [[one.image_id, one.class_name, one.state, one.answer, one.score] for one in decisions]
        facts: dict[str, Any] = {"run": run, "action_id": new_action_id(), "origin": ORIGIN, "expected": expected}
        told = self._ask("/decide", cells=cells, **facts)
        return int(told["cells"]), len(told["skipped"])

    def undo(self) -> int:
        """Undo this person's last action."""
        return int(self._ask("/undo", action_id=new_action_id())["cells"])

    def train(self, recipe: str) -> int:
        """Start a run and return its number."""
        return int(self._ask("/train", recipe=recipe))

    def _ask(self, api_name: str, **arguments: Any) -> Any:
        headers = {"x-logicmix-token": self.server.token, "x-logicmix-person": current_user()}
        # A proxy set for the outside world must not be asked for a server on this machine.
        options = {"trust_env": False, "timeout": self.seconds}
        quiet = {"verbose": False, "analytics_enabled": False}
        try:
            client = Client(self.server.url, headers=headers, httpx_kwargs=options, **quiet)
            with contextlib.closing(client):
                return client.predict(**arguments, api_name=api_name)
        except AppError as error:
            raise StudioError(str(error), "See the studio's page.") from error
        except Exception as error:  # whatever the network and the client's parts raise
            raise StudioError(
                f"The studio at {self.server.url} does not answer: {error}",
                "Look whether its page still works, or start it again with `logicmix-studio launch`.",
            ) from error


class LocalClient:
    """Writes into a workspace that nobody serves, journal first, then the data set."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def decide(self, decisions: Sequence[Decision], run: int | None, expected: int | None = None) -> tuple[int, int]:
        """Write answers as one action."""
        self.studio.follow()
        facts: dict[str, Any] = {"who": self.studio.who, "origin": ORIGIN, "run": run, "expected": expected}
        receipt = self.studio.ledger.decide(decisions, **facts)
        return 0 if receipt.line is None else len(receipt.line.cells), len(receipt.skipped)

    def undo(self) -> int:
        """Undo this person's last action."""
        line = self.studio.undo().line
        return 0 if line is None else len(line.cells)

    def train(self, recipe: str) -> int:
        """Start a run and return its number."""
        return self.studio.runs.start(recipe)
