"""Small workspaces made in no time: pictures of coloured shapes, half-known labels, runs without training."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Workspace, locate_workspace, save_table, write_json
from logicmix_studio.store.workspace import WORKSPACE_FORMAT
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.run_folder import RunFolder, RunState, Snapshot

CLASS_NAMES = ("circle", "square", "triangle", "star", "cross", "ring")
SMALLEST_DRAWN = 16
"""Pictures with shorter sides stay plain."""
COLOURS = ("#c0392b", "#2471a3", "#1e8449", "#b7950b", "#7d3c98", "#ba4a00", "#148f77", "#5d6d7e")


def make_workspace(
    folder: Path,
    *,
    num_images: int = 24,
    class_names: Sequence[str] = CLASS_NAMES,
    known_proportion: float = 0.3,
    runs: int = 1,
    trial: bool = False,
    paths: Sequence[str] | None = None,
    side: int = 64,
    seed: int = 7,
    draw_every: int = 1,
) -> Workspace:
    """Make a data set and its workspace; ``Studio.open(folder)`` opens it at once.

    Args:
        folder: The data set's folder; made.
        num_images: How many images.
        class_names: The classes.
        known_proportion: Share of the cells that are known, in [0, 1].
        runs: How many finished runs with scores (a good guess at the truth) to lay down.
        trial: Whether the complete labels are kept aside.
        paths: Names of the images; numbered ones unless given.
        side: Sides of the pictures in pixels.
        seed: Makes everything the same again.
        draw_every: Draw only each so-and-so-many-th picture; the others are links to it (for large sets).
    """
    generator = np.random.default_rng(seed)
    names = list(paths) if paths is not None else [f"part{i % 3}/image-{i:05d}.jpg" for i in range(num_images)]
    truth = np.where(generator.random((num_images, len(class_names))) < 0.35, 1, -1).astype(np.int8)
    known = generator.random(truth.shape) < known_proportion
    splits = ["test" if i % 12 == 11 else "val" if i % 12 == 10 else "train" for i in range(num_images)]
    complete = LabelTable.build(names, class_names, truth, splits)
    table = LabelTable.build(names, class_names, np.where(known, truth, 0).astype(np.int8), splits)
    draw_images(folder, table.paths, truth, side=side, draw_every=draw_every)
    workspace = locate_workspace(folder)
    save_table(workspace.labels_file, table)
    if trial:
        save_table(workspace.complete_file, complete)
    info = {
        "format": WORKSPACE_FORMAT,
        "name": folder.name,
        "root": str(folder),
        "created": "2024-05-01T10:00:00+00:00",
        "notes": [],
        "trial": {"known_proportion": known_proportion, "seed": seed} if trial else None,
        "demo": False,
    }
    write_json(workspace.info_file, info)
    for run in range(1, runs + 1):
        add_run(workspace, table, truth, run=run, noise=0.5 - 0.1 * run, seed=seed + run)
    return workspace


def draw_images(
    folder: Path, paths: Sequence[str], truth: npt.NDArray[np.int8], *, side: int, draw_every: int = 1
) -> None:
    """Draw each image as its classes' coloured shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: Path | None = None
    for row, path in enumerate(paths):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if row % draw_every and drawn is not None:
            target.hardlink_to(drawn)
            continue
        image = Image.new("RGB", (side, side), "#e8eaee")
        pen = ImageDraw.Draw(image)
        step = max(side // 4, 1)
        shown = np.flatnonzero(truth[row] == 1)[:16] if side >= SMALLEST_DRAWN else []
        for place, column in enumerate(shown):
            left, top = (place % 4) * step, (place // 4) * step
            colour = COLOURS[int(column) % len(COLOURS)]
            draw = (pen.ellipse, pen.rectangle)[int(column) % 2]
            draw((left + 1, top + 1, left + step - 2, top + step - 2), fill=colour)
        image.save(target, quality=85)
        drawn = target


def add_run(
    workspace: Workspace,
    table: LabelTable,
    truth: npt.NDArray[np.int8],
    *,
    run: int = 1,
    noise: float = 0.3,
    seed: int = 1,
) -> RunFolder:
    """Lay down a finished run whose scores follow the truth, more or less.

    Args:
        workspace: Where.
        table: The labels the run was trained on.
        truth: (N, C) what the scores lean to.
        run: Its number.
        noise: 0 for always right.
        seed: Of the scores.
    """
    generator = np.random.default_rng(seed)
    folder = RunFolder(workspace.runs / f"{run:04d}")
    folder.path.mkdir(parents=True)
    config = RunConfig.create("quick", root=str(workspace.root), class_names=table.class_names)
    folder.config_file.write_text(config.to_json(), encoding="utf-8")
    Snapshot(
        states=table.states,
        image_ids=np.array(table.image_ids, dtype=np.str_),
        paths=np.array(table.paths, dtype=np.str_),
        class_names=np.array(table.class_names, dtype=np.str_),
        splits=np.array(table.splits, dtype=np.str_),
    ).save(folder.snapshot_file)
    logits = truth * 4.0 + generator.normal(scale=8.0 * noise, size=truth.shape)
    np.save(folder.logits_file, logits.astype(np.float16), allow_pickle=False)
    # The same cells in every run, as the trainer holds them out.
    drawn = np.random.default_rng(0).random(truth.shape) < 0.2
    np.save(folder.heldout_file, (table.states != 0) & drawn, allow_pickle=False)
    features = np.concatenate([truth, generator.normal(scale=0.1, size=(len(truth), 4))], axis=1)
    np.save(folder.features_file, features.astype(np.float16), allow_pickle=False)
    took = {"seconds": 4.0, "num_embedded": table.num_images, "embed_seconds": 3.0}
    result = {"map": 0.6 + 0.08 * run, "ap": dict.fromkeys(table.class_names, 0.6), **took}
    folder.result_file.write_text(json.dumps(result), encoding="utf-8")
    folder.calibration_file.write_text("{}", encoding="utf-8")
    folder.write_state(RunState("finished", "done", 1.0, updated=time.time()))
    return folder
