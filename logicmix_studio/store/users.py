"""People who may come in from other machines: names, roles and hashes of passwords in ``users.json``."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json, write_json

Role = Literal["owner", "reviewer"]
"""An owner may do everything; a reviewer answers, but neither trains nor exports nor deletes nor changes classes."""
ROLES: Final[tuple[Role, ...]] = get_args(Role)
MIN_PASSWORD: Final = 8
"""Characters of a password, at least."""
MAX_NAME: Final = 60
"""Characters of a person's name, at most."""
_HASHER: Final = PasswordHasher()
_NOBODY: Final = _HASHER.hash("")
"""Verified where there is no such person: an answer takes as long as to a wrong password."""


@dataclass(frozen=True)
class User:
    """A person who may come in."""

    name: str
    role: Role
    mark: str
    """Another one for another password: sessions of the old one have ended."""


class Users:
    """The people of a workspace; changes of the file, also by another process, count at once.

    Raises:
        StudioError: From each method, if the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        """Read nothing yet; there may be no file."""
        self.path = path
        self._read: tuple[int, dict[str, Any]] = (-1, {})
        self._lock = threading.Lock()

    def all(self) -> list[User]:
        """Return everybody, by name."""
        return [self._user(name, entry) for name, entry in sorted(self._entries().items())]

    def find(self, name: str) -> User | None:
        """Return a person, or None where there is none of that name."""
        entry = self._entries().get(name)
        return None if entry is None else self._user(name, entry)

    def check(self, name: str, password: str) -> User | None:
        """Return the person if the password is right; takes a tenth of a second, right or not."""
        user = self.find(name)
        try:
            _HASHER.verify(_NOBODY if user is None else self._entries()[name]["hash"], password)
        except (VerificationError, InvalidHashError):
            return None
        return user

    def add(self, name: str, password: str, role: str = "reviewer") -> User:
        """Let somebody in; a name that is there gets the new password and role.

        Raises:
            StudioError: If the name is empty or too long, the password too short, or the role none.
        """
        if not name or name != " ".join(name.split()) or not name.isprintable() or len(name) > MAX_NAME:
            raise StudioError(f"{name!r} is no name", f"take 1 to {MAX_NAME} letters, one space between words")
        if len(password) < MIN_PASSWORD:
            raise StudioError("the password is too short", f"take {MIN_PASSWORD} characters or more")
        if role not in ROLES:
            raise StudioError(f"there is no role {role!r}", f"take one of {', '.join(ROLES)}")
        with self._lock:
            entry = {"role": role, "hash": _HASHER.hash(password)}
            self._write({**self._entries(), name: entry})
        return self._user(name, entry)

    def remove(self, name: str) -> None:
        """Let somebody in no longer; their sessions end at once.

        Raises:
            StudioError: If there is no such person.
        """
        with self._lock:
            entries = self._entries()
            if name not in entries:
                raise StudioError(f"there is no user {name!r}", f"there are: {', '.join(sorted(entries)) or 'none'}")
            self._write({other: entry for other, entry in entries.items() if other != name})

    def _write(self, entries: Mapping[str, Any]) -> None:
        write_json(self.path, entries, mode=0o600)

    def _entries(self) -> dict[str, Any]:
        try:
            changed = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if changed != self._read[0]:
            self._read = changed, read_json(self.path) or {}
        return self._read[1]

    def _user(self, name: str, entry: Any) -> User:
        if not isinstance(entry, dict) or entry.get("role") not in ROLES or not isinstance(entry.get("hash"), str):
            raise StudioError(
                f"{self.path}: what stands of {name!r} is broken", "add the user anew: logicmix-studio user add"
            )
        return User(name, entry["role"], hashlib.sha256(entry["hash"].encode()).hexdigest()[:16])
