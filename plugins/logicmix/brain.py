"""What a run's network saw in each image, as runs of FiftyOne's brain: most similar images, and a map of all of them."""

from __future__ import annotations

from typing import Any

import fiftyone.brain as fob
import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.similar import Similar
from logicmix_studio.studio import Studio

from .targets import stored_of


def index_run(dataset: Any, studio: Studio, run: int) -> tuple[str, str]:
    """Index a run's features and return the keys of the similarity index and of the visualisation.

    Earlier ones of the same run are replaced, and both go when the run is deleted; the metadata of images that have none are
    read.

    Raises:
        StudioError: The run left no features, fewer than three images of the data set have some, or somebody else's brain
            run has one of the keys.
    """
    features = Similar(studio.proposed, studio.jobs).of_run(run)
    known = {} if features is None else features.row_of
    ids = [image_id for image_id in dataset.values("id") if image_id in known]
    if features is None or len(ids) < 3:
        raise StudioError(f"run {run} left no features of these images", "choose a run that has finished")
    vectors = np.asarray(features.vectors[[known[image_id] for image_id in ids]], dtype=np.float32)
    view = dataset.select(ids, ordered=True)
    similar, visible = (f"logicmix_run_{run}_{what}" for what in ("similarity", "visualization"))
    ours = {"logicmix": (stored_of(dataset) or {}).get("_id"), "run": run}
    found = {similar, visible}.intersection(dataset.list_brain_runs())
    for key in found.difference(dataset.list_brain_runs(**ours)):
        raise StudioError(f"the brain run {key!r} is not the studio's", "rename it: dataset.rename_brain_run(old, new)")
    for key in found:
        dataset.delete_brain_run(key)
    fob.compute_similarity(view, embeddings=vectors, brain_key=similar, backend="sklearn", **ours)
    fob.compute_visualization(view, embeddings=vectors, brain_key=visible, method="pca", **ours)
    dataset.exists("metadata", False).compute_metadata()
    return similar, visible
