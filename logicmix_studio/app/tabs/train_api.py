"""Train, for programs: methods of the services as named functions, with what they return as plain JSON."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import gradio as gr
import pandas as pd

from logicmix_studio.app.session import event
from logicmix_studio.runs import Jobs
from logicmix_studio.runs.registry import RunRegistry
from logicmix_studio.runs.service import RunService
from logicmix_studio.studio import Studio

METHODS: dict[str, tuple[str, Callable[..., Any]]] = {
    "recipes": ("runs", RunService.recipes),
    "expected_time": ("runs", RunService.forecast),
    "train": ("runs", RunService.start),
    "runs": ("jobs", Jobs.list),
    "run": ("runs", RunService.report),
    "pause": ("jobs", Jobs.pause),
    "cancel": ("jobs", Jobs.cancel),
    "resume": ("jobs", Jobs.resume),
    "choose_run": ("registry", RunRegistry.choose),
    "rename_run": ("jobs", Jobs.annotate),
    "what_delete_takes": ("runs", RunService.deletion),
    "delete_run": ("runs", RunService.delete),
    "compare_runs": ("runs", RunService.compare),
    "readiness": ("runs", RunService.readiness),
    "training_preview": ("runs", RunService.preview),
}
"""Name of the function → the studio's service and its method."""


def add_train_api(studio: Studio) -> None:
    """Offer the functions of the tab; call it within the blocks."""
    for name, (service, method) in METHODS.items():
        gr.api(event(_function(name, studio, service, method)), api_name=name, concurrency_limit=None)


def plain(value: Any) -> Any:
    """Return what a service returned as JSON: dataclasses with their properties, tables as lists of rows.

    Example:
        >>> plain(pd.DataFrame({"class": ["dog"], "share": [float("nan")]}))
        [{'class': 'dog', 'share': None}]
    """
    if isinstance(value, pd.DataFrame):
        return json.loads(value.to_json(orient="records"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        said = [name for name, member in inspect.getmembers(type(value)) if isinstance(member, property)]
        names = [*(field.name for field in dataclasses.fields(value)), *said]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if value == value else None  # noqa: PLR0124  # nan
    return str(value) if isinstance(value, Path) else value.tolist() if hasattr(value, "tolist") else value


def _function(name: str, studio: Studio, service: str, method: Callable[..., Any]) -> Callable[..., Any]:
    parameters = list(inspect.signature(method).parameters.values())[1:]

    def call(*values: Any) -> Any:
        named = {parameter.name: value for parameter, value in zip(parameters, values, strict=False)}
        return plain(getattr(getattr(studio, service), method.__name__)(**named))

    hints = {name: hint for name, hint in get_type_hints(method).items() if name != "return"}
    call.__name__ = name  # what assistants know the function by
    call.__doc__, call.__annotations__ = method.__doc__, {**hints, "return": Any}
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # what Gradio describes the function by
        [one.replace(kind=one.POSITIONAL_OR_KEYWORD, annotation=hints[one.name]) for one in parameters],
        return_annotation=Any,
    )
    return call
