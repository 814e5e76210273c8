"""What a program can do: functions and services' methods as named endpoints, and those that belong to no tab."""

from __future__ import annotations

import dataclasses
import inspect
import operator
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any, Final, get_type_hints

import gradio as gr
import pandas as pd

from logicmix_studio import files
from logicmix_studio.app.page import owners_only, person
from logicmix_studio.errors import StudioError
from logicmix_studio.labels import STATE_NAMES
from logicmix_studio.store import Decision, Receipt
from logicmix_studio.studio import Studio

HOLDER: Final = "program"
"""Holds the questions of a program; the next call releases those that it does not name."""
CALLER: Final = ("caller", "who")
"""Parameters without a default that are the person whom a request speaks for."""
Cell = list[Any]
"""``[image_id, class_name, state, answer, score]``; answer and score may be left out."""


def offer(
    studio: Studio,
    *functions: Callable[..., Any],
    methods: Mapping[str, str] | None = None,
    of_owners: Container[str] = (),
    **options: Any,
) -> None:
    """Offer functions to programs under their own names; call it within the blocks.

    Their parameters and docstrings are what a caller sees, but for ``caller`` and a ``who`` that must be given: the person
    that the request speaks for.
    What they return goes out as JSON (see :func:`plain`).

    Args:
        methods: Services' methods, as name of the endpoint → ``"service.method"`` of the studio.
        of_owners: Names of those that reviewers may not call.
        options: Of `gr.api`; without any, an answer does not wait in the queue.
    """
    targets: dict[str, Callable[..., Any] | str] = {one.__name__: one for one in functions}
    targets |= methods or {}
    for name, target in targets.items():
        limit = owners_only if name in of_owners else None
        gr.api(_endpoint(studio, name, target, limit), api_name=name, **(options or {"queue": False}))


def plain(value: Any) -> Any:
    """Return what a service returned as JSON: dataclasses with their properties, tables as lists of rows.

    A key "path" becomes "file": Gradio's client would fetch what it names.

    Example:
        >>> plain(pd.DataFrame({"class": ["dog"], "share": [float("nan")]}))
        [{'class': 'dog', 'share': None}]
    """
    if isinstance(value, Receipt):
        return _receipt_facts(value)
    if isinstance(value, pd.DataFrame):
        return plain(value.to_dict("records"))
    if dataclasses.is_dataclass(value):
        said = [name for name, member in inspect.getmembers(type(value)) if isinstance(member, property)]
        return plain({name: getattr(value, name) for name in (*(one.name for one in dataclasses.fields(value)), *said)})
    if isinstance(value, Mapping):
        return {"file" if key == "path" else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is pd.NA or value is pd.NaT:
        return None
    return str(value) if isinstance(value, Path) else files.plain(value)


def add_api(studio: Studio) -> None:
    """Offer the functions that belong to no tab; call it within the blocks."""

    def decide(
        caller: str,
        cells: list[Cell],
        note: str = "",
        run: int | None = None,
        action_id: str | None = None,
        origin: str = "program",
        keep_known: bool = False,
        expected: int | None = None,
    ) -> Receipt:
        """Write answers to cells as one action: one journal line, one undo.

        Args:
            cells: A list of [image_id, class_name, state] with state 1 (positive), 0 (unknown) or -1 (negative); a fourth
                entry names the answer (set, accept, reject, unsure, skip), a fifth the score that was seen.
            note: Words that stand beside the action in the history.
            run: The run whose pseudo-labels are answered; the current one unless given.
            action_id: The same id twice is one action.
            origin: Where the answer comes from.
            keep_known: Whether cells that are known already are left alone.
            expected: How many cells the caller means to write; refused where it is another number by now.
        """
        decisions = [_decision(studio, cell) for cell in cells]
        return studio.ledger.decide(
            decisions,
            who=caller,
            origin=origin,
            action_id=action_id,
            run=studio.proposed.choice()[0] if run is None else run,
            note=note,
            keep_known=keep_known,
            expected=expected,
        )

    def undo(caller: str, line: int | None = None, action_id: str | None = None) -> Receipt:
        """Undo the caller's last action, or the journal line that is named.

        Args:
            line: Number of the line; the last action of the caller unless given.
            action_id: The same id twice is one undo.
        """
        return studio.ledger.undo(caller, of=line, action_id=action_id)

    def redo(caller: str, action_id: str | None = None) -> Receipt:
        """Bring back what the caller undid last.

        Args:
            action_id: The same id twice is one redo.
        """
        return studio.ledger.redo(caller, action_id=action_id)

    def pseudo_labels(
        class_name: str = "", value: int = 0, min_confidence: float = 0.0, limit: int = 100
    ) -> list[dict[str, Any]]:
        """List pseudo-labels, the surest first.

        Args:
            class_name: Only of this class; of every class where empty.
            value: Only proposed positives (1) or negatives (-1); both where 0.
            min_confidence: Only from this confidence on, from 0 to 1.
            limit: How many at the most.
        """
        found = studio.proposals(class_name or None, value or None, min_confidence, limit)
        return [{**vars(one), "score": round(one.score, 4), "confidence": round(one.confidence, 4)} for one in found]

    def state(image_id: str, class_name: str) -> str:
        """Tell what is known of one cell: positive, negative or unknown.

        Args:
            image_id: The image.
            class_name: The class.
        """
        return STATE_NAMES[int(studio.states[studio.ledger.position(image_id, class_name)])]

    offer(studio, decide, undo, redo, pseudo_labels, state)


def _endpoint(
    studio: Studio, name: str, target: Callable[..., Any] | str, limit: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """Return a function that Gradio can describe and call, and that calls the target or the method it names."""

    def find() -> Callable[..., Any]:  # at each call: a service is made anew after a reload
        return operator.attrgetter(target)(studio) if isinstance(target, str) else target

    model = find()
    hints = {**get_type_hints(model), "return": Any}
    every = inspect.signature(model).parameters.values()
    caller = next((one.name for one in every if one.name in CALLER and one.default is one.empty), None)
    parameters = [one for one in every if one.name != caller]
    if caller:
        hints["request"] = gr.Request | None
        parameters.append(inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, default=None))
    parameters = [one.replace(kind=one.POSITIONAL_OR_KEYWORD, annotation=hints[one.name]) for one in parameters]
    signature = inspect.Signature(parameters, return_annotation=Any)

    def call(*values: Any, **named: Any) -> Any:
        given = signature.bind(*values, **named).arguments
        if caller:
            given[caller] = person(studio, given.pop("request", None))
        return plain((limit(find()) if limit else find())(**given))

    call.__name__, call.__doc__, call.__annotations__ = name, model.__doc__, hints
    call.__signature__ = signature  # type: ignore[attr-defined]  # what Gradio describes the function by
    return call


def _receipt_facts(receipt: Receipt) -> dict[str, Any]:
    """Return what became of an action."""
    line, names = receipt.line, {"line": "seq", "action_id": "id", "kind": "kind", "of": "of"}
    return {
        **{said: getattr(line, name, None) for said, name in names.items()},
        "cells": 0 if line is None else len(line.cells),
        "repeated": receipt.repeated,
        "skipped": [[one.image_id, one.class_name] for one in receipt.skipped],
        "left_alone": [[one.image_id, one.class_name] for one in receipt.left_alone],
    }


def _decision(studio: Studio, cell: Cell) -> Decision:
    if not 3 <= len(cell) <= 5:
        raise StudioError(f"{cell!r} is no answer", "write [image_id, class_name, state, answer, score]")
    image_id, class_name, state, *more = cell
    answer, score = more[0] if more else "set", more[1] if len(more) > 1 else None
    score = studio.proposed.score_of(image_id, class_name) if score is None else score
    return Decision(str(image_id), str(class_name), state, str(answer), score)
