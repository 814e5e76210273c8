from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from logicmix_studio.studio import Studio
from logicmix_studio.explore.blend_sources import ImageFilter, find_images, parse_ids, trainable_rows
from tests.ui.conftest import page_client


def ids_of(studio: Studio, *rows: int) -> str:
    return ",".join(studio.image_ids[row] for row in rows)


def picture(client: TestClient, **query: Any) -> np.ndarray[Any, Any]:
    answer = client.get("/api/blend/image", params=query)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"), dtype=float)


def decide(client: TestClient, image: str, name: str, state: int, action: str) -> dict[str, Any]:
    body = {"id": action, "origin": "blend", "cells": [[image, name, state, "set"]]}
    answer = client.post("/api/cells/decide", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_server_starts_without_torch() -> None:
    code = "import sys, logicmix_studio.ui.routes.blend; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_draw__same_seed_same_blend(client: TestClient) -> None:
    query = {"seed": 3, "probability": 1.0}
    first, second = (client.get("/api/blend/draw", params=query).json() for _ in range(2))
    other = client.get("/api/blend/draw", params={**query, "seed": 4}).json()
    assert first["ids"] == second["ids"]
    assert first["seed"] == 3
    assert other["ids"] != first["ids"]


def test_draw__is_the_trainers_own(client: TestClient, studio: Studio) -> None:
    import torch

    from logicmix_studio.mixing import LogicMix

    rows = trainable_rows(studio)
    generator = torch.Generator().manual_seed(11)
    anchor = torch.randint(len(rows), (1,), generator=generator)
    params = LogicMix(1.0, (3, 3)).make_params(anchor, len(rows), generator)
    expected = [studio.image_ids[rows[source]] for source in params.sources[0].tolist()]
    query = {"seed": 11, "probability": 1.0, "k_min": 3, "k_max": 3}
    assert client.get("/api/blend/draw", params=query).json()["ids"] == expected


def test_draw__sizes_and_originals(client: TestClient) -> None:
    always = {"probability": 1.0, "k_min": 2, "k_max": 4}
    sizes = {
        len(client.get("/api/blend/draw", params={**always, "seed": s}).json()["ids"]) for s in range(40)
    }
    assert sizes == {2, 3, 4}
    never = client.get("/api/blend/draw", params={"probability": 0.0}).json()
    assert len(never["ids"]) == 1


def test_draw__skips_originals_and_says_which_seed_it_took(client: TestClient) -> None:
    query = {"seed": 0, "probability": 0.2}
    found = client.get("/api/blend/draw", params={**query, "blends_only": True}).json()
    assert len(found["ids"]) >= 2
    again = client.get("/api/blend/draw", params={**query, "seed": found["seed"]}).json()
    assert again["ids"] == found["ids"]


def test_draw__telling_blend_has_something_to_see(client: TestClient) -> None:
    found = client.get("/api/blend/draw", params={"seed": 0, "telling": True}).json()
    assert found["counts"]["positive"] > 0
    assert found["counts"]["open"] > 0
    again = client.get("/api/blend/draw", params={"seed": found["seed"]}).json()
    assert again["ids"] == found["ids"]


def test_draw__where_no_blend_tells_anything(open_studio: Callable[..., Studio]) -> None:
    client = page_client(open_studio("bare", known_proportion=0.0, runs=0))
    found = client.get("/api/blend/draw", params={"seed": 0, "telling": True}).json()
    assert len(found["ids"]) >= 2


def test_draw__never_takes_the_test_split(client: TestClient) -> None:
    splits = set()
    for seed in range(60):
        query = {"seed": seed, "probability": 1.0, "k_min": 6, "k_max": 6}
        splits |= {
            source["split"] for source in client.get("/api/blend/draw", params=query).json()["sources"]
        }
    assert splits == {"train", "val"}


def test_draw__sizes_upside_down(client: TestClient) -> None:
    answer = client.get("/api/blend/draw", params={"k_min": 4, "k_max": 2})
    assert answer.status_code == 400
    assert "fewest sources 4" in answer.json()["error"]


def test_labels__are_the_or_of_the_sources(client: TestClient, studio: Studio) -> None:
    blend = client.get("/api/blend/labels", params={"ids": ids_of(studio, 0, 4, 9)}).json()
    expected = studio.states[[0, 4, 9]].max(axis=0).tolist()
    assert [row["result"] for row in blend["rows"]] == expected
    assert blend["counts"]["positive"] == expected.count(1)
    assert [source["path"] for source in blend["sources"]] == [studio.table.paths[row] for row in (0, 4, 9)]


def test_labels__follow_an_answer_and_its_undo(client: TestClient, studio: Studio) -> None:
    row = next(r for r in range(24) if studio.states[r, 0] == 0)
    ids = ids_of(studio, row)
    assert client.get("/api/blend/labels", params={"ids": ids}).json()["rows"][0]["result"] == 0
    receipt = decide(client, studio.image_ids[row], "circle", 1, "answer-in-blend")
    after = client.get("/api/blend/labels", params={"ids": ids}).json()
    assert after["rows"][0]["result"] == 1
    assert after["seq"] == receipt["seq"]
    client.post("/api/cells/undo", json={"id": "undo-in-blend", "of": receipt["seq"]})
    assert client.get("/api/blend/labels", params={"ids": ids}).json()["rows"][0]["result"] == 0


def test_labels__with_pseudo_labels(client: TestClient, studio: Studio) -> None:
    proposals = studio.proposals_array()
    row = int(np.flatnonzero((proposals != 0).any(axis=1))[0])
    query = {"ids": ids_of(studio, row), "pseudo": True}
    rows = client.get("/api/blend/labels", params=query).json()["rows"]
    filled = np.where(studio.states[row] == 0, proposals[row], studio.states[row])
    assert [one["result"] for one in rows] == filled.tolist()
    assert any(one["rests_on_pseudo"] for one in rows)


@pytest.mark.parametrize(
    ("ids", "words"),
    [("", "1 to 16 images, not 0"), (",".join(["a"] * 17), "not 17"), ("0" * 24, "there is no image")],
)
def test_labels__wrong_ids(client: TestClient, ids: str, words: str) -> None:
    answer = client.get("/api/blend/labels", params={"ids": ids})
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_parse_ids__keeps_order_and_repetition(studio: Studio) -> None:
    assert parse_ids(studio, ids_of(studio, 5, 2, 5)) == [5, 2, 5]


def test_image__is_the_mean_of_its_sources(client: TestClient, studio: Studio) -> None:
    sources = [picture(client, ids=ids_of(studio, row), size=64) for row in (0, 1, 2)]
    blend = picture(client, ids=ids_of(studio, 0, 1, 2), size=64)
    assert blend.shape == (64, 64, 3)
    assert np.abs(blend - np.mean(sources, axis=0)).mean() < 4  # JPEG loses a little


def test_image__augmented_is_drawn_by_its_seed(client: TestClient, studio: Studio) -> None:
    query = {"ids": ids_of(studio, 0, 1), "size": 64, "augment": 5}
    plain = picture(client, ids=ids_of(studio, 0, 1), size=64)
    first, second = picture(client, **query), picture(client, **query)
    assert np.array_equal(first, second)
    assert np.abs(first - plain).mean() > 1


def test_image__only_one_source(client: TestClient, studio: Studio) -> None:
    one = picture(client, ids=ids_of(studio, 0, 1), size=64, only=1)
    assert np.array_equal(one, picture(client, ids=ids_of(studio, 1), size=64, only=0))
    answer = client.get("/api/blend/image", params={"ids": ids_of(studio, 0), "only": 3})
    assert answer.status_code == 400


def test_image__unknown_method(client: TestClient, studio: Studio) -> None:
    answer = client.get("/api/blend/image", params={"ids": ids_of(studio, 0, 1), "method": "blendr"})
    assert answer.status_code == 400
    assert "blendr" in answer.json()["error"]


def test_image__broken_file_is_said(client: TestClient, studio: Studio) -> None:
    studio.image_path(studio.image_ids[0]).write_bytes(b"no image")
    answer = client.get("/api/blend/image", params={"ids": ids_of(studio, 0, 1)})
    assert answer.status_code == 400
    assert "cannot read the image" in answer.json()["error"]


def test_image__one_pixel(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("tiny", num_images=3)
    Image.new("RGB", (1, 1), "red").save(studio.image_path(studio.image_ids[0]), quality=95)
    assert picture(page_client(studio), ids=ids_of(studio, 0), size=32).shape == (32, 32, 3)


def test_methods__only_logicmix_has_no_wrong_negative(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("trial", trial=True)
    client = page_client(studio)
    wrong: dict[str, int] = {}
    for row in range(20):
        answer = client.get("/api/blend/methods", params={"ids": ids_of(studio, row, row + 1)}).json()
        assert answer["has_truth"]
        for method in answer["methods"]:
            wrong[method["name"]] = wrong.get(method["name"], 0) + method["counts"]["wrong"]
    assert list(wrong) == ["logicmix", "assume-negative", "or-mixup", "mixup", "mixup-pme", "cutmix"]
    assert wrong["logicmix"] == 0
    assert min(wrong[name] for name in ("assume-negative", "or-mixup", "mixup")) > 0


def test_methods__mixup_gives_soft_labels_of_the_first_two(client: TestClient, studio: Studio) -> None:
    answer = client.get("/api/blend/methods", params={"ids": ids_of(studio, 0, 1, 2), "seed": 1}).json()
    mixup = next(method for method in answer["methods"] if method["name"] == "mixup")
    pair = studio.states[:2]
    for column, row in enumerate(mixup["rows"]):
        assert (row["value"] == 0) == (pair[:, column] != 1).all()


def test_methods__logicmix_equals_the_truth_table(client: TestClient, studio: Studio) -> None:
    ids = ids_of(studio, 3, 8, 13)
    table = client.get("/api/blend/labels", params={"ids": ids}).json()["rows"]
    method = client.get("/api/blend/methods", params={"ids": ids}).json()["methods"][0]
    assert [row["state"] for row in method["rows"]] == [row["result"] for row in table]


def test_augmentation__has_words_for_each_source(client: TestClient, studio: Studio) -> None:
    answer = client.get("/api/blend/augmentation", params={"ids": ids_of(studio, 0, 1), "seed": 2}).json()
    assert answer["size"] == 224
    assert [source["id"] for source in answer["sources"]] == list(studio.image_ids[:2])
    assert all(source["words"] for source in answer["sources"])


def test_statistics__drawing_agrees_with_the_formula(client: TestClient) -> None:
    answer = client.get("/api/blend/statistics", params={"probability": 0.5}).json()
    assert answer["draws"] == 1000
    assert answer["num_images"] == 22  # two of 24 are of split test
    for part in (answer["blends"], answer["samples"]):
        assert part["drawn"]["known"] == pytest.approx(part["exact"]["known"], abs=0.05)
        assert part["drawn"]["positive"] == pytest.approx(part["exact"]["positive"], abs=0.05)
    assert len(answer["classes"]) == 6
    assert [point["k"] for point in answer["curve"]] == [1, 2, 3, 4, 5, 6]


def test_statistics__without_mixing_the_formula_is_what_is_known(client: TestClient) -> None:
    answer = client.get("/api/blend/statistics", params={"probability": 0.0}).json()
    assert answer["blends"] is None
    assert answer["samples"]["exact"] == pytest.approx(answer["before"])


def test_scores__before_the_first_run(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("fresh", runs=0)
    answer = page_client(studio).get("/api/blend/scores", params={"ids": ids_of(studio, 0)}).json()
    assert answer["available"] is False
    assert answer["title"] == "No model yet"


def test_scores__run_without_weights(client: TestClient, studio: Studio) -> None:
    answer = client.get("/api/blend/scores", params={"ids": ids_of(studio, 0)}).json()
    assert answer["available"] is False
    assert "Run 1 left no model" in answer["title"]


def test_scores__of_blend_and_sources(client: TestClient, studio: Studio) -> None:
    from logicmix_studio.training.backbone import create_net, save_net
    from logicmix_studio.training.config import RunConfig
    from logicmix_studio.training.run_folder import RunFolder

    folder = RunFolder(studio.jobs.folder(1))
    tiny = {"backbone.name": "test_resnet", "backbone.weights": "random", "backbone.image_size": 32}
    names = ("ring", "circle")  # the run knew fewer classes, in another order
    config = RunConfig.create("quick", overrides=tiny, root=str(studio.workspace.root), class_names=names)
    folder.config_file.write_text(config.to_json(), encoding="utf-8")
    net = create_net(config.settings.backbone, 2, 1)
    save_net(folder.model_file, net.state_dict(), config.settings.backbone, names)
    answer = client.get("/api/blend/scores", params={"ids": ids_of(studio, 0, 1)}).json()
    assert answer["available"] is True
    assert len(answer["sources"]) == 2
    assert answer["blend"][1:5] == [None] * 4  # square to cross were unknown to the run
    assert all(
        0 <= scores[column] <= 1 for scores in [answer["blend"], *answer["sources"]] for column in (0, 5)
    )
    alone = client.get("/api/blend/scores", params={"ids": ids_of(studio, 1)}).json()
    assert alone["blend"] == alone["sources"][0] == pytest.approx(answer["sources"][1], abs=1e-3)


def test_images__by_text_class_and_state(studio: Studio) -> None:
    everything = find_images(studio, ImageFilter(), 0, 5)
    assert everything["total"] == 24
    assert len(everything["images"]) == 5
    assert find_images(studio, ImageFilter(text="IMAGE-00003"), 0, 5)["total"] == 1
    column = studio.class_names.index("star")
    positive = find_images(studio, ImageFilter(class_name="star", state="positive"), 0, 99)
    assert positive["total"] == int((studio.states[:, column] == 1).sum())
    pseudo = find_images(studio, ImageFilter(class_name="star", state="pseudo"), 0, 99)
    assert pseudo["total"] == int((studio.proposals_array()[:, column] != 0).sum())


def test_images__unknown_state(client: TestClient) -> None:
    answer = client.get("/api/blend/images", params={"state": "maybe"})
    assert answer.status_code == 400
    assert "maybe" in answer.json()["error"]


def test_empty_data_set(open_studio: Callable[..., Studio]) -> None:
    client = page_client(open_studio("empty", num_images=0, runs=0))
    answer = client.get("/api/blend/draw")
    assert answer.status_code == 400
    assert "no images to blend" in answer.json()["error"]
    assert client.get("/api/blend/images").json() == {"total": 0, "images": []}


def test_one_image_one_class_all_unknown(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("one", num_images=1, class_names=("<b>dog</b> 🐕",), known_proportion=0.0, runs=0)
    client = page_client(studio)
    blend = client.get("/api/blend/draw", params={"probability": 1.0}).json()
    assert set(blend["ids"]) == {studio.image_ids[0]}
    assert [row["class"] for row in blend["rows"]] == ["<b>dog</b> 🐕"]
    assert client.get("/api/blend/statistics").json()["before"]["known"] == 0.0
