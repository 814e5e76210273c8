"""Settings that describe themselves: range, choices and source beside the default, meaning in a docstring."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from logicmix_studio.errors import StudioError
from logicmix_studio.files import fits

Value = bool | int | float | str
"""What a single setting can hold."""

SMALL = 1e-3
"""Numbers below it are shown with an exponent."""

SOURCES = {"released": "released settings", "paper": "paper", "measured": "measured by us", "ours": "our judgement"}
"""Where a default comes from, in words."""


_TYPES = {kind.__name__: kind for kind in (bool, int, float, str)}
_FITS = {name: fits(kind) for name, kind in _TYPES.items()}


@dataclass(frozen=True)
class Field:
    """One setting as an interface shows it."""

    name: str
    """Dotted name, for example ``optimizer.learning_rate``."""
    type: str
    """``bool``, ``int``, ``float`` or ``str``."""
    default: Value
    """The value the recipe starts from."""
    low: float | None
    """Smallest allowed value, if there is one."""
    high: float | None
    """Largest allowed value, if there is one."""
    choices: tuple[Value, ...]
    """Allowed values; empty where any is."""
    help: str
    """What the setting means, in a sentence or two."""
    source: str
    """Where the default comes from: ``released``, ``paper``, ``measured`` or ``ours``."""

    @property
    def group(self) -> str:
        """The first part of its name."""
        return self.name.partition(".")[0]

    @property
    def label(self) -> str:
        """The rest of its name, in words."""
        return label_of(self.name.rpartition(".")[2])

    @property
    def facts(self) -> str:
        """Its default, range and source, in words."""
        low, high = (None if end is None else value_words(end) for end in (self.low, self.high))
        span = f"{low} to {high}" if low and high else f"from {low}" if low else f"up to {high}" if high else ""
        return " · ".join(filter(None, (f"default {value_words(self.default)}", span, SOURCES[self.source])))


def setting(
    default: Value,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[Value] = (),
    source: str = "ours",
) -> Any:
    """Declare a dataclass field with its range and the source of its default."""
    return dataclasses.field(
        default=default, metadata={"low": low, "high": high, "choices": tuple(choices), "source": source}
    )


@lru_cache(maxsize=64)
def field_help(group: Hashable) -> dict[str, str]:
    """Return the docstring that stands under each field of a dataclass, by field name."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cast("type", group)))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            found[statement.target.id] = " ".join(str(following.value.value).split())
    return found


def fields_of(group: Any, prefix: str) -> list[Field]:
    """Describe every setting of one group.

    Args:
        group: A settings dataclass holding the values to show as defaults.
        prefix: Name of the group; the dotted names begin with it.
    """
    texts = field_help(cast("Hashable", type(group)))
    types = get_type_hints(type(group))
    return [
        Field(
            name=f"{prefix}.{item.name}",
            type=types[item.name].__name__,
            default=getattr(group, item.name),
            low=item.metadata["low"],
            high=item.metadata["high"],
            choices=item.metadata["choices"],
            help=texts.get(item.name, ""),
            source=item.metadata["source"],
        )
        for item in dataclasses.fields(group)
    ]


def label_of(name: str) -> str:
    """Return a field's own name, without its group, in words."""
    words = name.split("_")
    return " ".join(words[1:] if words[0] in ("is", "has", "should", "can") else words)


def value_words(value: object) -> str:
    """Return a setting's value for a person.

    Example:
        >>> value_words(True), value_words(60_000), value_words(0.0003), value_words(None)
        ('yes', '60,000', '3e-4', '–')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float) and 0 < abs(value) < SMALL:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)


def check_field(field: Field, value: object) -> str | None:
    """Return what is wrong with a value, or nothing."""
    if not _FITS[field.type](value):
        return f"{field.name} must be of type {field.type}, not {value!r}"
    if field.choices and value not in field.choices:
        return f"{field.name} must be one of {', '.join(map(str, field.choices))}, not {value!r}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if field.low is not None and value < field.low:
            return f"{field.name} must be at least {field.low:g}, not {value:g}"
        if field.high is not None and value > field.high:
            return f"{field.name} must be at most {field.high:g}, not {value:g}"
    return None


def convert(field: Field, value: object) -> Value:
    """Turn a value from a form, a command line or JSON into the field's type.

    Args:
        field: The setting.
        value: The value; text is parsed, an int is taken where a float is wanted.

    Raises:
        StudioError: If the value cannot be read as the field's type.
    """
    if not isinstance(value, bool):
        with suppress(ValidationError):  # what is of no such type is told below
            value = TypeAdapter(_TYPES[field.type]).validate_python(value)
    problem = check_field(field, value)
    if problem is not None:
        raise StudioError(problem, field.help)
    assert isinstance(value, bool | int | float | str)
    return value
