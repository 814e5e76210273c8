from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from logicmix_studio.files import write_json
from logicmix_studio.training.run_folder import EventWriter, RunFolder, RunState
from tests.browser.checks import assert_accessible, look_at, wait_until_quiet
from tests.browser.conftest import Served
from tests.browser.live_runs import make_live, write_events, write_progress
from tests.launched import wait_until

pytestmark = pytest.mark.browser

TRAIN = "?tab=train"


def test_runs_charts_comparison_and_preview(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    served = serve_studio(runs=2, class_names=["<b>0</b>", "dog 🐕", "قطة", "star"], num_images=60, trial=True)
    for run in (1, 2):
        folder = RunFolder(served.studio.jobs.folder(run))
        write_events(folder, epochs=4 + 2 * run)
        warning = "2 of 60 images are missing or unreadable and left out: <i>a</i>"
        folder.write_state(dataclasses.replace(folder.state(), warnings=(warning,)))
    page = open_page(served.url, TRAIN, size=(1400, 900))
    head = page.locator("section.run")
    expect(head.locator(".line")).to_have_text(re.compile(r"\+[\d,]+ pseudo-labels? in \d class"))
    expect(head.locator(".warning")).to_contain_text("left out: <i>a</i>")
    expect(page.get_by_text("◐ The pseudo-labels come from run 2")).to_be_visible()
    expect(page.locator(".vega-embed:visible")).to_have_count(6)
    wait_until_quiet(page)
    look_at(page, "train")
    page.get_by_role("tab", name="Two runs").click()
    expect(page.get_by_text(re.compile(r"the same · [\d,]+ only in run 1 · [\d,]+ only in run 2"))).to_be_visible()
    expect(page.locator(".vega-embed:visible")).to_have_count(3)
    expect(page.get_by_role("heading", name="Where they differ most")).to_be_visible()
    wait_until_quiet(page)
    look_at(page, "train-compare")
    page.get_by_role("tab", name="What the next run").click()
    expect(page.get_by_text(re.compile(r"known cells: \d+ positive"))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Withdrawn: .*run 2 against run 1"))).to_be_visible()
    wait_until_quiet(page)
    look_at(page, "train-next")


def test_a_finished_benchmark_is_shown_and_the_recommendation_cites_it(
    open_page: Callable[..., Page], served: Served
) -> None:
    page = open_page(served.url, f"{TRAIN}&view=benchmark", size=(1400, 900))
    expect(page.get_by_text("No benchmark of this data set is finished.")).to_contain_text("benchmark run")
    shared = {"words": "<b>LogicMix</b> with DP-ASL", "known_proportion": 0.3, "seeds": 3, "low": 0.4, "high": 0.6}
    rows = [
        {**shared, "method": name, "recipe": recipe, "map": value, "behind": 0.52 - value, "behind_low": 0.0}
        for name, recipe, value in (("logicmix", "2wayaug-pl", 0.52), ("quick", "quick", 0.5))
    ]
    found = {"made": "2026-11-27T20:00:00+00:00", "settings": {"backbone.image_size": 64}, "rows": rows}
    write_json(served.studio.workspace.benchmark_file, found)
    expect(page).to_have_url(re.compile("run=1&view=benchmark"))
    page.reload()
    expect(page.get_by_text("made 2026-11-27, 3 seeds; Network: image size 64.")).to_be_visible()
    expect(page.get_by_text("<b>LogicMix</b> with DP-ASL").locator("visible=true").first).to_be_visible()
    expect(page.get_by_text("and can't be told from quick. Take the recipe fast.")).to_be_visible()
    wait_until_quiet(page)
    look_at(page, "train-benchmark")


def test_settings_are_made_from_the_recipe_and_started_with(
    open_page: Callable[..., Page], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(served.studio.jobs), "start", lambda self, run: self.info(run))
    page = open_page(served.url, TRAIN)
    page.get_by_role("radio", name=re.compile("^thorough")).click()
    expect(page.get_by_text("600 epochs at the most.")).to_be_visible()
    page.get_by_role("button", name="Settings", exact=False).first.click()
    page.get_by_label("Find a setting").fill("mixing.probability")
    setting = page.get_by_label("probability")
    expect(page.get_by_text("Share of training samples that are blends. (default 0.5 · 0 to 1")).to_be_visible()
    setting.fill("3")
    expect(page.get_by_text("mixing.probability must be at most 1, not 3")).to_be_visible()
    setting.fill("0.3")
    expect(page.get_by_text("1 setting changed. 600 epochs at the most.")).to_be_visible()
    page.get_by_label("seed", exact=True).fill("7")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("Run 2 has started.")).to_be_visible()
    config = RunFolder(served.studio.jobs.folder(2)).config()
    assert (config.recipe, config.overrides(), config.seed) == ("2wayaug-pl", {"mixing.probability": 0.3}, 7)


def test_a_live_run_moves_is_paused_and_says_what_it_changed(open_page: Callable[..., Page], served: Served) -> None:
    folder = make_live(served)
    page = open_page(served.url, TRAIN)
    head = page.locator("section.run")
    expect(head).to_contain_text("training, epoch 3 of 8 · 40% · 75 s left")
    expect(head.get_by_role("progressbar")).to_have_attribute("value", "40")
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    write_progress(folder, 0.5)
    expect(head).to_contain_text("50%")
    writer = EventWriter(folder.events_file)
    writer.write("step", step=99, loss_original=0.01, loss_mixed=0.02)
    writer.close()
    folder.log_file.write_text("10:00:00 training\n")
    page.get_by_role("button", name="Pause").click()
    wait_until(folder.control_file.exists, 60, "the trainer was not asked to pause")
    assert json.loads(folder.control_file.read_text()) == {"want": "pause"}
    folder.write_state(RunState("queued", "waiting for run 7 of /photos to leave cpu", 0.5, pid=folder.state().pid,
                                process_started=folder.state().process_started))  # fmt: skip
    expect(head.locator(".line")).to_have_text("waiting for run 7 of /photos to leave cpu")
    folder.write_state(RunState("paused", "paused", 0.5))
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(head.locator(".line")).to_contain_text("it can go on where it stopped")
    shutil.copy(served.studio.jobs.folder(1) / "logits.npy", folder.logits_file)
    folder.result_file.write_text(json.dumps({"map": 0.9, "seconds": 3.0}))
    folder.write_state(RunState("finished", "finished", 1.0))
    expect(head.locator(".line")).to_have_text("no new pseudo-label")
    expect(page.get_by_text("◐ The pseudo-labels come from run 2")).to_be_visible()


def test_name_star_choose_and_delete(open_page: Callable[..., Page], serve_studio: Callable[..., Served]) -> None:
    served = serve_studio(runs=2)
    page = open_page(served.url, f"{TRAIN}&run=1")
    head = page.locator("section.run")
    expect(head.locator("h2")).to_contain_text("run 1")
    page.get_by_role("button", name="Name and note").click()
    page.get_by_label("Name", exact=True).fill("<b>first</b> 🐕")
    page.get_by_role("button", name="Use its scores").click()  # which leaves alone what is just being written
    expect(page.get_by_text("run 1 was chosen by a person")).to_be_visible()
    expect(page.get_by_role("button", name="Use its scores")).to_be_hidden()
    page.get_by_role("button", name="Let the studio choose").click()
    expect(page.get_by_text("◐ The pseudo-labels come from run 2")).to_be_visible()
    expect(page.get_by_role("button", name="Use its scores")).to_be_visible()
    page.get_by_label("★ star").check()
    page.get_by_role("button", name="Save").click()
    expect(head.locator("h2")).to_contain_text("★ <b>first</b> 🐕")
    info = served.studio.jobs.info(1)
    assert (info.name, info.star) == ("<b>first</b> 🐕", True)
    page.get_by_role("button", name="Delete …").click()
    expect(page.get_by_text(re.compile(r"This frees [\d.]+ (kB|MB)"))).to_be_visible()
    assert len(served.studio.jobs.list()) == 2
    page.get_by_role("button", name="Delete it").click()
    expect(head.locator("h2")).to_contain_text("run 2")
    assert [info.run for info in served.studio.jobs.list()] == [2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_images": 0, "runs": 0}, "There is no image to train on"),
        ({"known_proportion": 0.0, "runs": 0}, "There is nothing to learn from yet"),
    ],
)
def test_nothing_to_learn_from(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served], options: dict[str, float], words: str
) -> None:
    page = open_page(serve_studio("bare", **options).url, TRAIN, size=(1024, 768))
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_text("Nothing has been trained yet")).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    wait_until_quiet(page)
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
