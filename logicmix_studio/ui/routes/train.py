"""Routes of the Train tab: recipes, runs, curves, comparison."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from logicmix_studio.studio import Studio
from logicmix_studio.training.config import DEFAULT_SEED, RunConfig
from logicmix_studio.ui.train_room import LARGEST_SEED, TrainRoom
from logicmix_studio.ui.train_runs import compare_runs

Value = bool | int | float | str


class RecipeRequest(BaseModel):
    """A recipe, what differs from its defaults, and where the run begins."""

    recipe: str = Field(max_length=60)
    overrides: dict[str, Value] = Field(default_factory=dict)
    """Values by dotted name."""
    init_from: int | None = None
    """The run whose weights it starts from."""
    seed: int = Field(default=DEFAULT_SEED, le=LARGEST_SEED)
    """Everything random follows from it."""


class StartRequest(RecipeRequest):
    """A run to start."""

    name: str = Field(default="", max_length=80)
    note: str = Field(default="", max_length=2000)


class ControlRequest(BaseModel):
    """What a person asks of a run."""

    action: Literal["pause", "cancel", "resume"]


class MetaRequest(BaseModel):
    """A person's name, note and star for a run; what is not given stays."""

    name: str | None = Field(default=None, max_length=80)
    note: str | None = Field(default=None, max_length=2000)
    star: bool | None = None


class ChoiceRequest(BaseModel):
    """The run whose scores make the pseudo-labels; null leaves the choice to the studio."""

    run: int | None


def router(studio: Studio, room: TrainRoom | None = None) -> APIRouter:
    """Return the routes below ``/api/train``."""
    routes = APIRouter(prefix="/api/train")
    rooms = room or TrainRoom(studio)
    _add_starting(routes, studio, rooms)
    _add_watching(routes, studio, rooms)
    _add_changing(routes, studio, rooms)
    return routes


def _add_starting(routes: APIRouter, studio: Studio, room: TrainRoom) -> None:
    @routes.get("/recipes")
    def recipes() -> dict[str, Any]:
        return {"recipes": room.recipes(), "readiness": room.readiness()}

    @routes.post("/preview")
    def preview(asked: RecipeRequest) -> dict[str, Any]:
        return room.preview(_config(room, asked))

    @routes.post("/measure")
    def measure(asked: RecipeRequest) -> dict[str, Any]:
        return room.measure(_config(room, asked))

    @routes.post("/start")
    def start(asked: StartRequest) -> dict[str, Any]:
        run = studio.start_run(asked.recipe, asked.overrides, asked.init_from, seed=asked.seed)
        if asked.name or asked.note:
            studio.jobs.annotate(run, name=asked.name, note=asked.note)
        return {"run": run, "runs": room.runs()}


def _add_watching(routes: APIRouter, studio: Studio, room: TrainRoom) -> None:
    @routes.get("/runs")
    def runs() -> dict[str, Any]:
        current, reason = studio.current_choice()
        is_chosen = current is not None and current == studio.settings.get("chosen_run")
        return {
            "runs": room.runs(),
            "current": {
                "run": current,
                "reason": reason,
                "is_chosen": is_chosen,
            },
            "version": studio.runs_version,
        }

    @routes.get("/compare")
    def compare(first: int, second: int) -> dict[str, Any]:
        compared = compare_runs(studio, first, second)
        return {**compared, "curves": [room.run(run)["curves"] for run in (first, second)]}

    @routes.get("/runs/{run}")
    def run(run: int, offset: int | None = None) -> dict[str, Any]:
        return room.run(run, offset)

    @routes.get("/runs/{run}/details")
    def details(run: int) -> dict[str, Any]:
        return room.details(run)

    @routes.get("/runs/{run}/log")
    def log(run: int, lines: int = 200) -> dict[str, Any]:
        return room.log(run, max(1, min(lines, 2000)))

    @routes.get("/runs/{run}/deletion")
    def deletion(run: int) -> dict[str, Any]:
        return room.losses_of(run)


def _add_changing(routes: APIRouter, studio: Studio, room: TrainRoom) -> None:
    @routes.post("/runs/{run}/control")
    def control(run: int, asked: ControlRequest) -> dict[str, Any]:
        actions = {"pause": studio.jobs.pause, "cancel": studio.jobs.cancel, "resume": studio.jobs.resume}
        actions[asked.action](run)
        studio.refresh()
        return room.run(run)

    @routes.post("/runs/{run}/meta")
    def meta(run: int, asked: MetaRequest) -> dict[str, Any]:
        return room.card(studio.jobs.annotate(run, name=asked.name, note=asked.note, star=asked.star))

    @routes.post("/runs/{run}/delete")
    def delete(run: int) -> dict[str, Any]:
        return {"bytes": room.delete(run), "runs": room.runs()}

    @routes.post("/choose")
    def choose(asked: ChoiceRequest) -> dict[str, Any]:
        studio.choose_run(asked.run)
        current, reason = studio.current_choice()
        return {"run": current, "reason": reason, "runs": room.runs()}


def _config(room: TrainRoom, asked: RecipeRequest) -> RunConfig:
    return room.config(asked.recipe, asked.overrides, asked.init_from, asked.seed)
