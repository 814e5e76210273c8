"""What a person or the system asks of the running trainer: pause, cancel, or nothing."""

from __future__ import annotations

import signal
import time
from types import FrameType

from logicmix_studio.training.run_folder import RunFolder, Want

_LOOK_EVERY_S = 0.2


class Stopped(Exception):  # noqa: N818  # no error: the run ends because somebody wants it to
    """The run leaves early, on request."""

    def __init__(self, want: Want) -> None:
        super().__init__(want)
        self.want = want


class Control:
    """Looks at ``control.json`` and at signals, between steps."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._signalled = False
        self._seen: Want | None = None
        self._next_look = 0.0

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as a wish to cancel; only for the main thread of the trainer process."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def want(self) -> Want | None:
        """Return what is asked for, if anything; the file is looked at a few times a second at most."""
        if self._signalled:
            return "cancel"
        now = time.monotonic()
        if self._seen is None and now >= self._next_look:
            self._next_look = now + _LOOK_EVERY_S
            self._seen = self._folder.wanted()
        return self._seen

    def check(self) -> None:
        """Leave if that is asked for.

        Raises:
            Stopped: If it is.
        """
        want = self.want()
        if want is not None:
            raise Stopped(want)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
