"""Files that appear whole, JSON objects in files, and locks that die with their process."""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

from filelock import FileLock, Timeout
from pydantic import ConfigDict, TypeAdapter, ValidationError

from logicmix_studio.errors import StudioError, writing


@contextmanager
def replacing(path: Path, mode: int = 0o666, *, is_durable: bool = True, new_folders: int = 0) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of another when all of it is written, and leaves nothing behind if not.

    Unless ``is_durable``, the disk is not waited for: for what can be made again. Of the folders above it the last
    ``new_folders`` are made if need be and no more: where a disk has vanished, nothing is written in its place.

    Raises:
        StudioError: If the system refuses to write it.
    """
    with writing(path):
        for folder in reversed(path.parents[:new_folders]):
            folder.mkdir(exist_ok=True)
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                yield file
                file.flush()
                if is_durable:
                    os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any], mode: int = 0o666, *, new_folders: int = 0) -> None:
    """Write a JSON object whole, with :func:`plain` values; otherwise as :func:`replacing`.

    Raises:
        StudioError: If the system refuses to write it, or it holds what is no text (half of a surrogate pair).
    """
    try:
        encoded = json.dumps(plain(content), ensure_ascii=False, indent=2).encode()
    except UnicodeEncodeError as error:
        raise StudioError(f"{path} was not written: {error}", "use other characters") from None
    with replacing(path, mode, new_folders=new_folders) as file:
        file.write(encoded + b"\n")


def parse_json(text: str | bytes) -> Any:
    """Return what JSON text says.

    Raises:
        json.JSONDecodeError: If it is none, or nested more deeply than can be read.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", "", 0) from error


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object from a file, or None where there is no such file.

    Raises:
        StudioError: If the file holds no JSON object.
    """
    hint = "mend or remove the file"
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise StudioError(f"{path}:{error.lineno}: not valid JSON: {error.msg}", hint) from error
    except UnicodeDecodeError as error:
        raise StudioError(f"{path}: not valid JSON: {error}", hint) from error
    except OSError as error:
        raise StudioError(f"{path}: cannot be read: {error.strerror}", hint) from error
    if not isinstance(content, dict):
        raise StudioError(f"{path}: expected a JSON object, got {type(content).__name__}", hint)
    return content


def take_lock(path: Path) -> FileLock | None:
    """Return the lock of a file, taken, or None where somebody else holds it.

    The kernel frees it when this process ends, however it ends; child processes do not inherit it. The file is made if
    need be, in a folder that must exist, and never deleted.
    """
    # A lock of one thread could not be given back by another; a soft lock would outlive a killed process.
    lock = FileLock(path, timeout=0, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def fits(kind: Any) -> Callable[[Any], bool]:
    """Return a check whether a value from a JSON file is of a kind; nan is no number, and True is none.

    Example:
        >>> is_list = fits(list[float])
        >>> is_list([1, 0.5]), is_list([True]), is_list([float("nan")])
        (True, False, False)
    """
    form = TypeAdapter(kind, config=ConfigDict(strict=True, allow_inf_nan=False))

    def is_right(value: Any) -> bool:
        try:
            form.validate_python(value)
        except ValidationError:
            return False
        return True

    return is_right


def is_number(value: Any) -> TypeGuard[int | float]:
    """Return whether a value from a JSON file is a finite number.

    Example:
        >>> is_number(1), is_number(float("nan")), is_number(True), is_number("1")
        (True, False, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def is_text(value: Any, most: int) -> TypeGuard[str]:
    """Return whether a value is a text of at most so many characters that a file can hold.

    Example:
        >>> is_text("ä", 5), is_text("abc", 2), is_text(chr(0xD800), 5), is_text(1, 5)
        (True, False, False, False)
    """
    if not isinstance(value, str) or len(value) > most:
        return False
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:  # half a pair of UTF-16
        return False


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: arrays become lists, ``nan`` and infinity None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return plain(value.tolist()) if hasattr(value, "tolist") else value
