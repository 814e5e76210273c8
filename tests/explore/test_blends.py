from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.image_query import ImageQuery
from logicmix_studio.studio import Studio
from logicmix_studio.training import loop
from logicmix_studio.training.backbone import create_net, save_net
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.control import Control
from logicmix_studio.training.distributed import ProcessGroup
from logicmix_studio.training.full import run_full
from logicmix_studio.training.reporter import Reporter
from logicmix_studio.training.run_context import RunContext
from logicmix_studio.training.run_folder import RunFolder
from logicmix_studio.training.settings import MixingSettings
from tests.tiny_runs import TINY_FULL

ALWAYS = MixingSettings(probability=1.0, min_sources=2, max_sources=4)


class _EnoughError(Exception):
    """Ends a run after its first batch."""


def first_batch(studio: Studio, config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the first batch that the trainer itself assembles from today's labels."""
    batches: list[Any] = []
    assemble = loop.assemble

    def caught(*arguments: Any) -> Any:
        batches.append(assemble(*arguments))
        raise _EnoughError

    monkeypatch.setattr(loop, "assemble", caught)
    folder = RunFolder(
        studio.jobs.folder(
            studio.jobs.create(
                config, root=studio.workspace.root, table=studio.table, states=studio.ledger.states.copy()
            )
        )
    )
    reporter = Reporter(folder)
    context = RunContext(folder, studio.workspace.cache, torch.device("cpu"), reporter, Control(folder))
    with pytest.raises(_EnoughError):
        run_full(folder.config(), folder.snapshot(), context, ProcessGroup())
    reporter.close()
    return batches[0]


def split_of(studio: Studio, image_ids: Any) -> set[str]:
    return {studio.table.splits[studio.dataset.row_of(image_id)] for image_id in image_ids}


@pytest.mark.parametrize("has_val", [True, False])
def test_samples_are_what_the_trainer_trains_on(
    open_studio: Callable[..., Studio], monkeypatch: pytest.MonkeyPatch, has_val: bool
) -> None:
    studio = open_studio(known_proportion=0.6)
    if not has_val:  # then cells are held out by their hash
        splits = tuple("train" if split == "val" else split for split in studio.table.splits)
        object.__setattr__(studio.table, "splits", splits)
    same = {"optimizer.micro_batch": 16, "backbone.should_normalize": False, "augment.magnitude": 9}
    config = RunConfig.create("2wayaug-pl", overrides={**TINY_FULL, **same}, seed=7)
    service = studio.blends
    service.settings = config.settings
    batch = first_batch(studio, config, monkeypatch)
    assert bool(batch.mixed.any())
    assert has_val or bool(service.sources.heldout[studio.states != 0].any())
    for place in range(len(batch.states)):
        blend = service.draw(7, place + 1, blends_only=False)
        (_, after, _), *_ = service.network_view(blend)
        expected = batch.images[place].mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        assert np.array_equal(after, expected)
        label = [row.state for row in service.truth_table(blend.image_ids)]
        assert label == batch.states[place].tolist()


def test_draw__same_seed_same_blend(studio: Studio) -> None:
    first, again, other = (studio.blends.draw(seed, 3) for seed in (3, 3, 4))
    assert (first.image_ids, first.sample) == (again.image_ids, again.sample)
    assert other.image_ids != first.image_ids


def test_draw__sizes_and_photographs(studio: Studio) -> None:
    sizes = {len(studio.blends.draw(sample=sample, mixing=ALWAYS).rows) for sample in range(1, 60)}
    assert sizes == {2, 3, 4}
    never = studio.blends.draw(mixing=MixingSettings(probability=0.0))
    assert (len(never.rows), never.sample) == (1, 1)


def test_draw__skips_photographs_both_ways(studio: Studio) -> None:
    seldom = MixingSettings(probability=0.2)
    found = [studio.blends.draw(0, 1, seldom)]
    while len(found) < 4:
        found.append(studio.blends.draw(0, found[-1].sample + 1, seldom))
    assert all(bool(blend.draw.params.mixed[0]) for blend in found)
    assert found[0].sample < found[1].sample < found[2].sample < found[3].sample
    back = studio.blends.draw(0, found[3].sample - 1, seldom, backwards=True)
    assert back.image_ids == found[2].image_ids
    assert studio.blends.draw(0, 1, seldom, backwards=True).sample == 1


def test_draw__an_epoch_has_every_training_image_first_once(studio: Studio) -> None:
    never = MixingSettings(probability=0.0)
    rows = [studio.blends.draw(sample=sample, mixing=never).rows[0] for sample in range(1, 21)]
    assert sorted(rows) == studio.blends.sources.rows.tolist()
    assert studio.blends.draw(sample=21, mixing=never).rows[0] in rows


def test_draw_telling__has_something_to_see(studio: Studio) -> None:
    found = studio.blends.draw_telling()
    assert {1, 0} <= {row.state for row in studio.blends.truth_table(found.image_ids)}
    assert studio.blends.draw(found.seed, found.sample).image_ids == found.image_ids


def test_draw_telling__where_no_blend_tells_anything(open_studio: Callable[..., Studio]) -> None:
    found = open_studio("bare", known_proportion=0.0, runs=0).blends.draw_telling()
    assert bool(found.draw.params.mixed[0])


def test_images_that_measure_are_never_sources(studio: Studio) -> None:
    drawn = [studio.blends.draw(sample=sample, mixing=ALWAYS).image_ids for sample in range(1, 40)]
    assert split_of(studio, {image_id for ids in drawn for image_id in ids}) == {"train"}
    assert split_of(studio, [studio.image_ids[row] for row in studio.blends.sources.find(ImageQuery())]) == {"train"}
    val = studio.table.splits.index("val")
    with pytest.raises(StudioError, match="is of split val"):
        studio.blends.make([studio.image_ids[val]])


@pytest.mark.parametrize(("seed", "sample"), [(-1, 1), (0, 0)])
def test_draw__wrong_numbers(studio: Studio, seed: int, sample: int) -> None:
    with pytest.raises(StudioError, match=f"no sample {sample} of seed {seed}"):
        studio.blends.draw(seed, sample)


@pytest.mark.parametrize(
    ("ids", "words"), [([], "1 to 16 images, not 0"), (["a"] * 17, "not 17"), (["0" * 24], "there is no image")]
)
def test_make__wrong_ids(studio: Studio, ids: list[str], words: str) -> None:
    with pytest.raises(StudioError, match=words):
        studio.blends.make(ids)


def test_make__keeps_order_and_repetition(studio: Studio) -> None:
    ids = tuple(studio.image_ids[row] for row in (5, 2, 5))
    assert studio.blends.make(ids).image_ids == ids
    assert studio.blends.make(ids).rows == [5, 2, 5]


def test_truth_table__follows_an_answer_and_its_undo(studio: Studio) -> None:
    service = studio.blends
    column = 0
    row = next(
        r for r in service.sources.rows if studio.states[r, column] == 0 and not service.sources.heldout[r, column]
    )
    ids = [studio.image_ids[row]]
    assert service.truth_table(ids)[column].state == 0
    receipt = service.answer(ids[0], studio.class_names[column], 1, who="bea", action_id="one")
    assert (receipt.line.origin, receipt.line.who, receipt.line.run) == ("blend", "bea", 1)
    assert service.truth_table(ids)[column].state == 1
    again = service.answer(ids[0], studio.class_names[column], -1, who="ada", action_id="two")
    assert len(again.skipped) == 1
    studio.ledger.undo("bea", target="one")
    assert service.truth_table(ids)[column].state == 0


def test_truth_table__with_pseudo_labels(studio: Studio) -> None:
    service = studio.blends
    claims = studio.proposed.array()
    row = next(r for r in service.sources.rows if (claims[r] != 0).any())
    rows = service.truth_table([studio.image_ids[row]], with_pseudo=True)
    filled = np.where(studio.states[row] == 0, claims[row], studio.states[row])
    assert [one.state for one in rows] == filled.tolist()
    for one in rows:
        assert one.rests_on_pseudo == ("nobody checked" in one.reason)
    assert any(one.rests_on_pseudo for one in rows)


def test_picture__is_the_mean_of_its_sources(studio: Studio) -> None:
    ids = list(studio.image_ids[:3])
    sources = [studio.blends.picture(studio.blends.make([one]), 64).astype(float) for one in ids]
    blend = studio.blends.picture(studio.blends.make(ids), 64)
    assert blend.shape == (64, 64, 3)
    assert np.abs(blend - np.mean(sources, axis=0)).max() <= 0.51


def test_picture__broken_file_is_said(studio: Studio) -> None:
    studio.image_path(studio.image_ids[0]).write_bytes(b"no image")
    with pytest.raises(StudioError, match="cannot read the image"):
        studio.blends.picture(studio.blends.make(studio.image_ids[:2]))


def test_picture__one_pixel(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("tiny", num_images=3)
    Image.new("RGB", (1, 1), "red").save(studio.image_path(studio.image_ids[0]), quality=95)
    assert studio.blends.picture(studio.blends.make(studio.image_ids[:1]), 32).shape == (32, 32, 3)


def test_network_view__has_words_for_each_source_and_can_be_drawn_anew(studio: Studio) -> None:
    blend = studio.blends.make(studio.image_ids[:2])
    own, again, other = (studio.blends.network_view(blend, seed) for seed in (0, 0, 5))
    assert len(own) == 3
    assert all(words for _, _, words in own)
    assert all(np.array_equal(one[1], two[1]) for one, two in zip(own, again, strict=True))
    assert not np.array_equal(own[0][1], other[0][1])
    assert np.array_equal(own[0][0], other[0][0])


def test_scores__before_the_first_run(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("fresh", runs=0)
    with pytest.raises(StudioError, match="there is no model yet"):
        studio.blends.scores(studio.image_ids[:1])


def test_scores__run_without_weights(studio: Studio) -> None:
    with pytest.raises(StudioError, match="run 1 left no model"):
        studio.blends.scores(studio.image_ids[:1])


def test_scores__of_blend_and_sources(studio: Studio) -> None:
    folder = RunFolder(studio.jobs.folder(1))
    tiny = {"backbone.name": "test_resnet", "backbone.weights": "random", "backbone.image_size": 32}
    names = ("ring", "circle")  # the run knew fewer classes, in another order
    config = RunConfig.create("quick", overrides=tiny, root=str(studio.workspace.root), class_names=names)
    folder.config_file.write_text(config.to_json(), encoding="utf-8")
    net = create_net(config.settings.backbone, 2, 1)
    save_net(folder.model_file, net.state_dict(), config.settings.backbone, names)
    ids = list(studio.image_ids[:2])
    found = studio.blends.scores(ids)
    table = found.table.set_index("class")
    assert list(table.columns) == ["label", "blend", "image 1", "image 2"]
    assert set(table.index[table["blend"].isna()]) == {"square", "triangle", "star", "cross"}
    assert table.loc[["ring", "circle"], "blend":].to_numpy().min() >= 0
    alone = studio.blends.scores(ids[1:]).table.set_index("class")
    assert alone.loc["ring", "blend"] == alone.loc["ring", "image 1"]
    assert alone.loc["ring", "image 1"] == pytest.approx(table.loc["ring", "image 2"], abs=1e-3)


def test_statistics__drawing_agrees_with_the_formula(studio: Studio) -> None:
    found = studio.blends.statistics(draws=4000)
    assert (found.num_draws, found.num_images) == (4000, 20)  # two of 24 are of split test, two of val
    shares = found.shares
    for part in ("blends", "samples"):
        difference = shares.loc[f"{part} drawn"] - shares.loc[f"{part} exact"]
        assert difference.abs().max() < 0.03
    assert list(found.classes["class"]) == list(studio.class_names)
    assert found.curve["sources"].tolist() == [1, 2, 3, 4, 5]


def test_statistics__pseudo_labels_are_filled_in(studio: Studio) -> None:
    plain, filled = (studio.blends.statistics(with_pseudo=with_pseudo) for with_pseudo in (False, True))
    assert filled.shares.loc["photographs", "known"] > plain.shares.loc["photographs", "known"]


def test_find__by_class_and_state(studio: Studio) -> None:
    column = studio.class_names.index("star")
    found = studio.blends.sources.find(ImageQuery(class_name="star", state="positive"))
    rows = studio.blends.sources.rows
    assert found.tolist() == [row for row in rows.tolist() if studio.states[row, column] == 1]


def test_empty_data_set(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("empty", num_images=0, runs=0)
    with pytest.raises(StudioError, match="there are no images to blend"):
        studio.blends.draw()


def test_one_image_one_class_all_unknown(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("one", num_images=1, class_names=("<b>dog</b> 🐕",), known_proportion=0.0, runs=0)
    blend = studio.blends.draw(mixing=ALWAYS)
    assert set(blend.rows) == {0}
    assert [row.state for row in studio.blends.truth_table(blend.image_ids)] == [0]
    assert studio.blends.statistics().words.startswith("Nothing is known yet")
