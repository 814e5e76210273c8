"""What a user can cause, and how it is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StudioError(Exception):
    """A mistake that a user can mend.

    The interface and the command line show it as a message, without a traceback.

    Args:
        what: What was wrong, with the value, file and line at fault.
        hint: What to do about it.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """Return the message and the hint on a line of its own."""
        return f"{self.what}\n{self.hint}" if self.hint else self.what


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say what a user can mend when a file or folder can't be written: a full disk, one that is gone, no permission.

    Args:
        path: What the block writes.

    Raises:
        StudioError: If the system refuses.
    """
    try:
        yield
    except OSError as error:
        raise StudioError(
            f"cannot write {path}: {error.strerror or error}",
            "check that its disk is there, its free space and the permissions",
        ) from error
