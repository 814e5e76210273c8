"""Blocks that refuse in words what fits no event of theirs, through the queue as without it."""

from __future__ import annotations

import dataclasses
import functools
import html
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, ParamSpec, TypeVar, get_type_hints

import gradio as gr
from pydantic import ConfigDict, TypeAdapter, ValidationError

from logicmix_studio.app.answers import HOW_TO_CALL, note_call
from logicmix_studio.errors import StudioError

P = ParamSpec("P")
R = TypeVar("R")
_hints = functools.cache(get_type_hints)
RELOAD: Final = "reload the page"
_EVENTS: Final = (gr.EventData, gr.SelectData)
_SPECIAL: Final = (gr.Request, gr.Request | None, *_EVENTS)
"""What Gradio hands to a function by itself."""


class GuardedBlocks(gr.Blocks):  # type: ignore[misc]  # Gradio ships no types
    """Blocks in which a client's mistake, at any event, becomes a `gr.Error` with what and hint, and no traceback.

    A mistake is a `StudioError` of the function, and what is not of the type that a component or the function names.
    What else a function raises is ours, and stays as it is.
    """

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Return what a client sent as the components hand it to a function."""
        with _in_words():
            for block, value in zip(block_fn.inputs, inputs, strict=False):
                if not (block.stateful or block.data_model or isinstance(block, gr.HTML)):
                    checked(str(block.label), value, _hints(type(block).preprocess)["payload"])
            try:
                return list(await super().preprocess_data(block_fn, inputs, *args, **kwargs))
            except Exception as error:  # whatever a component does not understand
                raise StudioError(str(error).strip().partition("\n")[0], HOW_TO_CALL) from error

    async def call_function(
        self,
        block_fn: Any,
        processed_input: list[Any],
        iterator: Any = None,
        requests: Any = None,
        event_id: str | None = None,
        event_data: gr.EventData | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Call a function with what :meth:`preprocess_data` returned."""
        with _in_words():
            taken = _taken(block_fn.fn)
            taken = [*taken, *taken[-1:] * len(processed_input)]  # the last may stand for all that follow
            given = [
                value if block.stateful else _argument(one, value)
                for value, block, one in zip(processed_input, block_fn.inputs, taken, strict=False)
            ]
            if any(hint in _EVENTS for hint in _hints(block_fn.fn).values()):
                if event_data is None or not isinstance(event_data._data, dict):
                    raise StudioError("the request does not say what happened", RELOAD)
                event_data._data = _Told(event_data._data)
            note_call()
            called = super().call_function(block_fn, given, iterator, requests, event_id, event_data, *args, **kwargs)
            return dict(await called)


def server_function(function: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any]]:
    """Let a server function of a component answer a person's mistake with ``{"error", "hint"}``.

    What it is given must be of the types that it names; what an object lacks is such a mistake, too.
    """

    @functools.wraps(function)
    def answer(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        note_call()
        try:
            given = [_argument(one, value) for one, value in zip(_taken(function), args, strict=False)]
            return function(*given, *args[len(given) :], **kwargs)  # type: ignore[arg-type]  # the request comes last
        except StudioError as error:
            return {"error": error.what, "hint": error.hint}

    return answer


def checked(name: str, value: Any, hint: Any) -> Any:
    """Return a value in the type that is wanted; a `StudioError` where it is of another, or no finite number."""
    try:
        return _form(hint).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part!r}]" for part in first["loc"])
        raise StudioError(f"{name}{place} is {first['input']!r:.60}", first["msg"]) from None


def remembered(state: R | None) -> R:
    """Return what a State of a page holds; a `StudioError` where this server has forgotten it."""
    if not state:
        raise StudioError("this page is from before the server's last start", "reload it, then choose again")
    return state


def number_of(picked: gr.SelectData) -> int:
    """Return the number in the first column of the row of a table that was chosen."""
    first: tuple[int] = checked("the row", checked("the row", picked.row_value, list[Any])[:1], tuple[int])
    return first[0]


class _Told(dict[str, Any]):
    """What a script told; what it lacks is said in words."""

    def __missing__(self, key: str) -> Any:
        raise StudioError(f"the request lacks {key!r}", RELOAD)

    def pop(self, key: str, *default: Any) -> Any:
        """Take a value out."""
        return super().pop(key, *default) if key in self or default else self[key]


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn a person's mistake into the message of Gradio's page, which shows it as HTML."""
    try:
        yield
    except StudioError as error:
        note_call(error)
        text = ": ".join(filter(None, (error.what, error.hint)))
        raise gr.Error(html.escape(text, quote=False), print_exception=False) from error


@functools.cache
def _form(hint: Any) -> TypeAdapter[Any]:
    # pydantic takes no settings for a dataclass.
    return TypeAdapter(hint, config=None if dataclasses.is_dataclass(hint) else ConfigDict(allow_inf_nan=False))


@functools.cache
def _taken(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return what a caller gives to a function, with its types: all but the request and what has happened."""
    hints = _hints(function)
    parameters = inspect.signature(function).parameters.values()
    every = [one.replace(annotation=hints.get(one.name, Any)) for one in parameters]
    return [one for one in every if one.annotation not in _SPECIAL and not isinstance(one.default, gr.Progress)]


def _argument(parameter: inspect.Parameter, value: Any) -> Any:
    value = checked(parameter.name, value, parameter.annotation)
    return _Told(value) if isinstance(value, dict) else value
