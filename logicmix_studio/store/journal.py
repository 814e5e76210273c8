"""The journal: an append-only file of what people decided.

A line is on disk (fsync) before anything else changes, so a kill at any moment loses nothing that was acknowledged.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from logicmix_studio.errors import StudioError
from logicmix_studio.store.line import Line


def new_action_id() -> str:
    """Return an id for an action that nobody else made."""
    return uuid.uuid4().hex


def utc_now() -> str:
    """Return the time as journal lines carry it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def read_journal(path: Path, problems: list[str] | None = None) -> Iterator[Line]:
    """Yield the lines of a journal, oldest first; what can't be read is set aside and stays in the file.

    Args:
        path: The file; a missing one has no lines.
        problems: Gets a sentence for each line that is set aside, with its number in the file and the reason.

    Raises:
        StudioError: If the file can't be opened.
    """
    told = [] if problems is None else problems
    held, last, num_told = None, 0, len(told)

    def name(number: int, reason: str) -> None:
        told.append(f"{path}:{number}: a line of the journal is set aside: {reason}")

    for number, found in _parsed(path):
        if isinstance(found, str):
            name(number, found)
        elif held is not None and found.seq <= held[1].seq and found.seq <= last:
            name(number, f"its number {found.seq} comes after {held[1].seq}")
        elif held is not None and found.seq <= held[1].seq:
            name(held[0], f"its number {held[1].seq} comes before {found.seq}")
            held = number, found
        else:
            if held is not None:
                yield held[1]
                last = held[1].seq
            lost = found.seq - last - 1 if held is None else found.seq - held[1].seq - 1
            if len(told) > num_told and lost > len(told) - num_told:
                told.append(f"{path}: {lost} actions before action {found.seq} are lost with it")
            num_told, held = len(told), (number, found)
    if held is not None:
        yield held[1]


def _parsed(path: Path) -> Iterator[tuple[int, Line | str]]:
    """Yield number and content of each line of a file; of one that can't be read the reason."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StudioError(f"{path}: cannot be read: {error.strerror}", "check the file and its rights") from error
    with file:
        for number, text in enumerate(file, start=1):
            if not text.endswith(b"\n"):
                yield number, "it is not finished: it is being written, or the machine stopped before it was confirmed"
                return
            try:
                yield number, Line.from_json(text)
            except ValueError as error:
                yield number, str(error)


class Journal:
    """Appends lines to the journal and makes them durable.

    An unfinished last line that is found in the file is moved to ``journal.torn``.

    Attributes:
        num_lines: How many lines the file has, also those that can't be read.

    Raises:
        StudioError: If the file can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StudioError(f"{path}: cannot be written: {error.strerror}", "check the folder's rights") from error
        data = path.read_bytes()
        self._end, self.num_lines = data.rfind(b"\n") + 1, data.count(b"\n")
        if self._end < len(data):
            with path.with_suffix(".torn").open("ab") as torn:
                torn.write(data[self._end :] + b"\n")
            self._cut()
            os.fsync(self._descriptor)
        os.lseek(self._descriptor, self._end, os.SEEK_SET)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def append(self, line: Line) -> None:
        """Write one line and wait until it is on disk.

        Raises:
            StudioError: If the line could not be read again, the disk refuses, or the file is not in its place any more:
                its disk has vanished, or somebody has moved or deleted it. The file is then as it was before.
        """
        try:
            data = line.to_json().encode() + b"\n"
        except ValueError as error:
            raise StudioError(
                f"the decision was not saved: {error}", "correct what was given and send it again"
            ) from error
        try:
            self._check_place()
            self._cut()
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
            os.fsync(self._descriptor)
        except OSError as error:
            with suppress(OSError):  # a disk that is gone: the next line is written over what may have arrived there
                self._cut()
            told = f"{self.path}: the decision was not saved: {error.strerror}"
            if error.errno == errno.ENOSPC:
                raise StudioError(told, "free some space and answer again") from error
            hint = "mount its disk again or bring the file back; if that does not help, start the studio anew"
            raise StudioError(told, hint) from error
        self._end += len(data)
        self.num_lines += 1

    def close(self) -> None:
        """Close the file; appending afterwards is an error."""
        os.close(self._descriptor)

    def _check_place(self) -> None:
        """Raise an OSError unless the file that is open is the one that the next opening will find."""
        if not os.path.samestat(os.stat(self.path), os.fstat(self._descriptor)):
            raise OSError(errno.ESTALE, "another file has taken its place")

    def _cut(self) -> None:
        """Take away what stands behind the last whole line."""
        os.ftruncate(self._descriptor, self._end)
        os.lseek(self._descriptor, self._end, os.SEEK_SET)
