"""What people chose on screen, and what each of these settings must be."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.files import fits, read_json, write_json
from logicmix_studio.store.journal import utc_now
from logicmix_studio.store.line import MAX_RUN

MAX_BYTES: Final = 16_000_000
"""Of the file; the thresholds of 10,000 classes take one."""
MAX_TEXT: Final = 10_000
"""Characters of what a class means."""
MAX_STEPS: Final = 1_000
_LEVELS_ABOVE_CLASSES: Final = {"thresholds": 1, "descriptions": 0}
"""Settings by class name, and how many levels of keys stand above the names."""
_FORMER: Final = frozenset({"keys"})
"""Settings of earlier versions; they are left as they are."""


_Text = Annotated[str, AfterValidator(lambda text: text.encode().decode()), Field(max_length=MAX_TEXT)]
_Thresholds = dict[_Text, Annotated[float, Field(ge=0.5, le=1)]]


class _Form(NamedTuple):
    """What a setting must be."""

    is_right: Callable[[Any], bool]
    words: str


_FORMS: Final[Mapping[str, _Form]] = {
    "thresholds": _Form(
        fits(dict[Literal["positive", "negative"], _Thresholds]),
        "numbers from 0.5 to 1 by class, below positive and negative",
    ),
    "chosen_run": _Form(fits(Annotated[int, Field(ge=0, le=MAX_RUN)]), "the number of a run"),
    "goal": _Form(fits(Annotated[float, Field(gt=0, le=1)]), "a share of the cells, above 0 and up to 1"),
    "descriptions": _Form(fits(dict[_Text, _Text]), f"texts by class, of {MAX_TEXT:,} characters at the most"),
    "steps_put_off": _Form(
        fits(Annotated[list[_Text], Field(max_length=MAX_STEPS)]), f"a list of {MAX_STEPS:,} keys of steps at the most"
    ),
}


class Settings:
    """What people chose on screen: a thread-safe dictionary in a JSON file, which is replaced in one step.

    A setting in the file that is not what it must be counts as not chosen, and ``warnings`` tells. Before the first change
    the file is then put aside beside the new one, as it was. ``version`` rises by one with every change, so that a derived
    value knows when it is stale.

    Args:
        path: The file; a missing one is an empty dictionary.
        renamed: Former class names and the names of today; what was chosen for a class follows its name.
    """

    def __init__(self, path: Path, renamed: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.warnings: list[str] = []
        self._content = {key: value for key, value in self._read().items() if self._is_right(key, value)}
        self._is_broken = bool(self.warnings)
        for key, levels in _LEVELS_ABOVE_CLASSES.items():
            if renamed and key in self._content:
                self._content[key] = _follow(self._content[key], renamed, levels)
        self.version = 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return a copy of one setting."""
        with self._lock:
            return copy.deepcopy(self._content.get(key, default))

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set some settings and write the file; a value of None removes its key.

        Raises:
            StudioError: If there is no such setting, it must be something else, or the disk refuses; nothing is changed then.
        """
        for key, value in changes.items():
            if key not in _FORMS:
                raise StudioError(f"there is no setting {key!r:.60}", f"settings are: {', '.join(_FORMS)}")
            if value is not None and not _FORMS[key].is_right(value):
                raise StudioError(f"the setting {key} can't be {value!r:.60}", f"it must be {_FORMS[key].words}")
        with self._lock:
            content = {key: value for key, value in {**self._content, **changes}.items() if value is not None}
            if (size := len(json.dumps(content))) > MAX_BYTES:
                raise StudioError(f"the settings would take {size:,} bytes", f"they may take {MAX_BYTES:,}: write less")
            if self._is_broken:
                stamp = utc_now().replace(":", "").split(".")[0]
                with writing(self._path):
                    self._path.rename(self._path.with_name(f"settings-broken-{stamp}.json"))
                self._is_broken = False
            write_json(self._path, content)
            self._content = content
            self.version += 1

    def _read(self) -> dict[str, Any]:
        try:
            if self._path.exists() and self._path.stat().st_size > MAX_BYTES:
                raise StudioError(f"{self._path} is larger than {MAX_BYTES:,} bytes", "mend or remove the file")
            return read_json(self._path) or {}
        except StudioError as error:
            self.warnings.append(f"the settings can't be read, defaults are used: {error.what}")
            return {}

    def _is_right(self, key: str, value: Any) -> bool:
        """Return whether a setting of the file can be used or is kept as it is; what can't be is told."""
        if key in _FORMER:
            return True
        if key not in _FORMS:
            self.warnings.append(f"{self._path}: there is no setting {key!r:.60}; settings are: {', '.join(_FORMS)}")
            return False
        form = _FORMS[key]
        if not form.is_right(value):
            self.warnings.append(f"{self._path}: {key} is {value!r:.60}, not {form.words}; its default is used")
            return False
        return True


def _follow(value: Any, renamed: Mapping[str, str], levels: int) -> Any:
    """Return a setting with today's class names, ``levels`` below its top."""
    if levels:
        return {key: _follow(part, renamed, levels - 1) for key, part in value.items()}
    return {renamed.get(name, name): part for name, part in value.items()}
