from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio


def test_the_nearest_images_share_the_classes(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(trial=True, num_images=60)
    run, found = studio.images.similar(studio.image_ids[0], 5)
    assert run == 1
    assert len(found) == 5
    assert studio.image_ids[0] not in [tile.image_id for tile, _ in found]
    likeness = [value for _, value in found]
    assert likeness == sorted(likeness, reverse=True)
    features = np.load(studio.workspace.runs / "0001" / "features.npy").astype(np.float64)
    cosine = features @ features[0] / (np.linalg.norm(features, axis=1) * np.linalg.norm(features[0]))
    cosine[0] = -1
    assert found[0][0].image_id == studio.image_ids[int(cosine.argmax())]
    assert found[0][1] == pytest.approx(cosine.max(), abs=1e-3)


def test_the_run_whose_scores_are_shown_comes_first(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=2)
    studio.registry.choose(1)
    assert studio.images.similar(studio.image_ids[0])[0] == 1
    (studio.workspace.runs / "0001" / "features.npy").unlink()
    (studio.workspace.runs / "0002" / "features.npy").touch()
    fresh = Studio.open(studio.workspace.root, read_only=True)
    assert fresh.images.similar(studio.image_ids[0])[0] == 2


def test_without_features_there_are_none(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=0)
    assert studio.images.similar(studio.image_ids[0]) == (None, [])


def test_one_image_has_no_neighbour(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=1)
    assert studio.images.similar(studio.image_ids[0]) == (1, [])


def test_an_unknown_image_is_named(studio: Studio) -> None:
    with pytest.raises(StudioError, match="no image"):
        studio.images.similar("f" * 24)
