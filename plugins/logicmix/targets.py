"""What a form means: the studio's workspace, and the images, pseudo-labels and cells that somebody has chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import STATE_NAMES
from logicmix_studio.store import Decision, Workspace
from logicmix_studio.store.fiftyone.documents import KNOWN, META, PSEUDO
from logicmix_studio.words import counted

ALL_CLASSES: Final = "all classes"
SIGNS: Final = {"positive": (1,), "negative": (-1,), "both": (1, -1)}
MOST_CLASSES: Final = 6


def belongs(dataset: Any) -> bool:
    """Return whether a FiftyOne data set is a studio's; a clone of one is not."""
    return stored_of(dataset) is not None


def stored_of(dataset: Any) -> dict[str, Any] | None:
    """Return what the studio keeps about a FiftyOne data set of its own; None for any other."""
    if dataset is None:
        return None
    meta = dataset._sample_collection.database[META]
    stored: dict[str, Any] | None = meta.find_one({"dataset_id": str(dataset._doc.id)})
    return stored


def last_change(dataset: Any) -> str:
    """Return when a sample of a data set was saved last."""
    latest = dataset._sample_collection.find_one({}, {"last_modified_at": 1}, sort=[("last_modified_at", -1)])
    return str(latest and latest["last_modified_at"])


def classes_of(dataset: Any) -> list[str]:
    """Return the studio's classes of a data set of the studio's."""
    return list(dataset.classes.get(KNOWN[1], dataset.default_classes))


def workspace_of(dataset: Any) -> Workspace:
    """Return the workspace that a FiftyOne data set belongs to.

    Raises:
        StudioError: It belongs to none, or its folder is gone.
    """
    ours = stored_of(dataset)
    if ours is None:
        raise StudioError(
            "This data set does not belong to LogicMix Studio.", "Open one that `logicmix-studio fiftyone DIR` made."
        )
    workspace = Workspace(root=Path(ours["root"]), folder=Path(ours["workspace"]))
    if not workspace.exists:
        raise StudioError(
            f"The workspace {workspace.folder} is gone.", "Launch the studio on the folder's new place once."
        )
    return workspace


def answers(ctx: Any, answer: str) -> tuple[list[Decision], int | None]:
    """Return an answer to each pseudo-label that a form means, accept or reject, and the run they come from.

    What filters and the view hide is not meant.
    """
    wanted, least = ctx.params.get("class_name") or ALL_CLASSES, float(ctx.params.get("min_confidence") or 0.0)
    decisions: list[Decision] = []
    run: int | None = None
    for state in SIGNS[ctx.params.get("sign") or "positive"]:
        paths = [f"{PSEUDO[state]}.classifications.{part}" for part in ("label", "confidence", "run")]
        for image_id, *entries in zip(*ctx.target_view().values(["id", *paths]), strict=True):
            for name, confidence, of_run in zip(*(column or () for column in entries), strict=True):
                if wanted in (ALL_CLASSES, name) and confidence >= least:
                    score, run = confidence if state > 0 else 1.0 - confidence, of_run
                    becomes = state if answer == "accept" else -state
                    decisions.append(Decision(image_id, name, becomes, answer, round(score, 4)))
    return decisions, run


def settings(ctx: Any) -> list[Decision]:
    """Return the decisions that give each chosen image the state that a form asks for."""
    name, wanted = ctx.params.get("class_name"), ctx.params.get("state")
    states = [state for state, said in STATE_NAMES.items() if name and said == wanted]
    return [Decision(image_id, name, state) for state in states for image_id in ctx.target_view().values("id")]


def sentence(decisions: Sequence[Decision], verb: str = "Writes") -> str:
    """Return in words what decisions write, or wrote.

    Example:
        >>> sentence([Decision("0" * 24, "dog", 1), Decision("1" * 24, "dog", 1), Decision("1" * 24, "cat", -1)])
        'Writes 3 cells in 2 images: dog positive in 2, cat negative in 1.'
    """
    if not decisions:
        return "There is nothing to write: choose other images, another class or sign."
    cells = Counter((one.class_name, one.state) for one in decisions).most_common()
    parts = [f"{name} {STATE_NAMES[state]} in {count}" for (name, state), count in cells[:MOST_CLASSES]]
    parts += [f"and {len(cells) - MOST_CLASSES} more"] if len(cells) > MOST_CLASSES else []
    images = len({one.image_id for one in decisions})
    return f"{verb} {counted(len(decisions), 'cell')} in {counted(images, 'image')}: {', '.join(parts)}."
