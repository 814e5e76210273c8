from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from logicmix_studio.store import write_json
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.run_folder import EventWriter, RunFolder, RunState
from tests.browser.checks import assert_accessible, keep_picture
from tests.browser.conftest import Served
from tests.browser.live_runs import make_live, write_events

pytestmark = pytest.mark.browser

RUN_MS = 120_000
"""A real run starts a process of its own, which imports torch."""


def wait_for_run(page: Page, number: int) -> None:
    expect(page.locator(".lm-run.is-shown .lm-run-number")).to_have_text(str(number))
    expect(page.locator(".lm-run-head h2")).to_be_visible()


def test_finished_run_in_light_and_dark(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served], scheme: str
) -> None:
    served = serve_studio(runs=2)
    write_events(RunFolder(served.studio.jobs.folder(2)))
    page = open_page(served.url, "#/train", scheme=scheme)
    wait_for_run(page, 2)
    expect(page.locator(".lm-run-line")).to_contain_text(re.compile(r"^\+[\d,]+ pseudo-labels? in \d class"))
    expect(page.locator(".lm-runs-why")).to_contain_text("The pseudo-labels come from run 2")
    for title in ("Loss", "mAP on held-out known cells", "Pseudo-labels in training", "Learning rate"):
        expect(page.locator(".lm-chart", has_text=title).locator("path").first).to_be_visible()
    expect(page.locator(".lm-run-tile").first).to_be_visible()
    assert_accessible(page)
    keep_picture(page, f"train-run-{scheme}")


def test_compare_in_light_and_dark(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served], scheme: str
) -> None:
    served = serve_studio(runs=2)
    for run in (1, 2):
        write_events(RunFolder(served.studio.jobs.folder(run)), epochs=4 + 2 * run)
    page = open_page(served.url, "#/train?compare=1,2", scheme=scheme)
    legend = page.locator(".lm-compare .lm-chart", has_text="Loss").locator(".lm-chart-legend li")
    expect(legend).to_have_count(4)
    expect(page.get_by_text(re.compile(r"the same · .* only in run 1 · .* only in run 2"))).to_be_visible()
    expect(page.locator(".lm-compare-example").first).to_be_visible()
    expect(page.get_by_role("heading", name="Average precision by class")).to_be_visible()
    assert_accessible(page)
    keep_picture(page, f"train-compare-{scheme}")
    page.reload()
    expect(page.get_by_label("First run")).to_have_value("1")


def test_settings_drawer_is_made_from_the_recipe(
    open_page: Callable[..., Page], server_url: str, scheme: str
) -> None:
    page = open_page(server_url, "#/train", scheme=scheme)
    page.get_by_role("radio", name=re.compile("^2WayAug-PL (time|about)")).click()
    page.locator(".lm-start").get_by_role("button", name="Settings").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Find a setting").fill("mixing.probability")
    setting = drawer.locator('[data-setting="mixing.probability"]')
    expect(setting).to_contain_text("Share of training samples that are blends")
    expect(setting).to_contain_text("default 0.5 · range 0 to 1 · released settings")
    setting.locator("input").fill("0.3")
    expect(drawer.get_by_role("status")).to_contain_text("1 setting changed · 600 epochs at most")
    setting.locator("input").fill("3")
    expect(drawer.get_by_role("status")).to_contain_text("mixing.probability must be at most 1")
    expect(drawer.get_by_role("button", name="Use these settings")).to_be_disabled()
    setting.locator("input").fill("0.3")
    expect(drawer.get_by_role("button", name="Use these settings")).to_be_enabled()
    assert_accessible(page)
    keep_picture(page, f"train-settings-{scheme}")
    drawer.get_by_label("Find a setting").fill("seed")
    expect(drawer.locator('[data-setting="seed"]')).to_contain_text("default 526 · range 0 to 2,147,483,647")
    drawer.get_by_label("seed", exact=True).fill("-1")
    expect(drawer.get_by_role("status")).to_contain_text("seed must be 0 or more")
    drawer.get_by_label("seed", exact=True).fill("7")
    expect(drawer.get_by_role("status")).to_contain_text("2 settings changed")
    drawer.get_by_role("button", name="Use these settings").click()
    expect(page.locator(".lm-recipe-changed")).to_have_text("2 settings changed")
    page.route("**/api/train/start", lambda route: route.fulfill(status=400, json={"error": "not today"}))
    with page.expect_request("**/api/train/start") as asked:
        page.get_by_role("button", name="Start training").click()
    assert asked.value.post_data_json == {
        "recipe": "2wayaug-pl",
        "overrides": {"mixing.probability": 0.3},
        "init_from": None,
        "seed": 7,
    }


def test_time_is_known_once_it_was_measured(open_page: Callable[..., Page], served: Served) -> None:
    network = RunConfig.create("2wayaug-pl").settings.backbone

    def measure(route: Route) -> None:
        trial = {
            "backbone": network.name,
            "image_size": 64,
            "score_images_per_s": 90,
            "train_images_per_s": 30,
        }
        write_json(served.studio.workspace.cache / "speed.json", {"trials": [trial]})
        route.fulfill(json={})

    page = open_page(served.url, "#/train")
    page.route("**/api/train/measure", measure)
    page.get_by_role("radio", name=re.compile("^2WayAug-PL time")).click()
    page.locator(".lm-start").get_by_role("button", name="Settings").click()
    page.get_by_role("dialog").get_by_label("image size").fill("64")
    page.get_by_role("button", name="Use these settings").click()
    page.get_by_role("button", name="Measure the time").click()
    expect(page.locator('.lm-recipe[aria-checked="true"]')).to_contain_text("after a short trial")
    expect(page.get_by_role("button", name="Measure the time")).to_be_hidden()


def test_a_live_run_moves_and_survives_a_reload(
    open_page: Callable[..., Page], served: Served, scheme: str
) -> None:
    folder = make_live(served)
    page = open_page(served.url, "#/train", scheme=scheme)
    wait_for_run(page, 2)
    standing = page.locator(".lm-run-standing")
    expect(standing).to_contain_text("training, epoch 3 of 8")
    expect(standing).to_contain_text("75 s left")
    expect(standing.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "40")
    assert_accessible(page)
    keep_picture(page, f"train-live-{scheme}")
    loss = page.locator(".lm-chart", has_text="Loss").locator(".lm-chart-svg")
    before = loss.get_attribute("aria-label")
    writer = EventWriter(folder.events_file)
    writer.write("step", step=99, loss_original=0.01, loss_mixed=0.02)
    writer.close()
    expect(loss).not_to_have_attribute("aria-label", before or "")
    page.reload()
    wait_for_run(page, 2)
    expect(loss).to_have_attribute("aria-label", re.compile("step 99"))
    expect(page.locator(".lm-start").get_by_role("button", name="Start training")).to_be_disabled()


def test_pause_is_asked_of_the_trainer(open_page: Callable[..., Page], served: Served) -> None:
    folder = make_live(served)
    page = open_page(served.url, "#/train")
    wait_for_run(page, 2)
    with page.expect_response("**/api/train/runs/2/control"):
        page.get_by_role("button", name="Pause").click()
    assert json.loads(folder.control_file.read_text()) == {"want": "pause"}
    folder.write_state(RunState("paused", "paused", 0.4))
    folder.control_file.unlink()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.locator(".lm-run-line")).to_contain_text("it can go on where it stopped")


def test_name_note_and_star(open_page: Callable[..., Page], served: Served) -> None:
    page = open_page(served.url, "#/train")
    wait_for_run(page, 1)
    page.get_by_role("button", name="Name and note").click()
    page.get_by_role("textbox", name="Name").fill("<b>first</b> 🐕")
    page.get_by_role("textbox", name="Note").fill("before the audit")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".lm-run-head h2")).to_have_text("<b>first</b> 🐕")
    expect(page.locator(".lm-run-note")).to_have_text("before the audit")
    page.get_by_role("button", name="Star run 1").click()
    expect(page.get_by_role("button", name="Take the star off run 1")).to_be_visible()
    info = served.studio.jobs.info(1)
    assert (info.name, info.note, info.star) == ("<b>first</b> 🐕", "before the audit", True)


def test_delete_says_what_it_frees(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    served = serve_studio(runs=2)
    page = open_page(served.url, "#/train")
    wait_for_run(page, 2)
    page.get_by_role("button", name="Delete run 2").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(r"This frees [\d.]+ (kB|MB)"))
    expect(dialog).to_contain_text("those of another run will take their place")
    dialog.get_by_role("button", name="Cancel").click()
    assert len(served.studio.jobs.list()) == 2
    page.get_by_role("button", name="Delete run 2").click()
    dialog.get_by_role("button", name="Delete run 2").click()
    wait_for_run(page, 1)
    assert [info.run for info in served.studio.jobs.list()] == [1]


def test_choose_whose_scores_are_the_pseudo_labels(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    served = serve_studio(runs=2)
    page = open_page(served.url, "#/train?run=1")
    wait_for_run(page, 1)
    page.get_by_role("button", name="Use its scores").click()
    expect(page.locator(".lm-runs-why")).to_contain_text("run 1 was chosen by a person")
    assert served.studio.current_choice()[0] == 1
    page.get_by_role("button", name="Let the studio choose").click()
    expect(page.locator(".lm-runs-why")).to_contain_text("The pseudo-labels come from run 2")


def test_charts_are_read_by_keyboard(open_page: Callable[..., Page], served: Served) -> None:
    write_events(RunFolder(served.studio.jobs.folder(1)))
    page = open_page(served.url, "#/train")
    chart = page.locator(".lm-chart", has_text="Loss")
    expect(chart.locator("path").first).to_be_visible()
    chart.locator(".lm-chart-svg").focus()
    page.keyboard.press("ArrowRight")
    expect(chart.locator(".lm-chart-readout")).to_have_text("step 1 · original 1 · mixed 1.4")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect(chart.locator(".lm-chart-readout")).to_be_hidden()


CHART_FACTS = """async () => {
  const {ticks, thin, shortNumber} = await import("/assets/js/chart.js");
  const long = Array.from({length: 5000}, (_, i) => [i, i]);
  return {
    ticks: [ticks(0, 1, 4), ticks(3, 3, 4), ticks(0, 0.0002, 4)],
    thin: [thin(long, 100).length, thin(long, 100).at(-1), thin([[1, 2]]).length],
    numbers: [0, 0.00002, 0.1234, 99.5, 1234, 56789].map(shortNumber),
  };
}"""


def test_chart_arithmetic(open_page: Callable[..., Page], server_url: str) -> None:
    page = open_page(server_url, "#/train")
    wait_for_run(page, 1)
    facts = page.evaluate(CHART_FACTS)
    assert facts["ticks"][0] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert facts["ticks"][1] == [3]
    assert facts["ticks"][2] == pytest.approx([0, 0.00005, 0.0001, 0.00015, 0.0002])
    assert facts["thin"] == [100, [4999, 4999], 1]
    assert facts["numbers"] == ["0", "2.0e-5", "0.123", "99.5", "1234", "56.8k"]


def test_a_run_that_ends_says_what_it_changed(open_page: Callable[..., Page], served: Served) -> None:
    folder = make_live(served)
    page = open_page(served.url, "#/train")
    wait_for_run(page, 2)
    shutil.copy(served.studio.jobs.folder(1) / "scores.npy", folder.scores_file)
    folder.result_file.write_text(json.dumps({"map": 0.9, "seconds": 3.0}))
    folder.write_state(RunState("finished", "finished", 1.0))
    expect(page.get_by_text(re.compile(r"Run 2 has finished: no new pseudo-label"))).to_be_visible()
    expect(page.locator(".lm-runs-why")).to_contain_text("The pseudo-labels come from run 2")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_images": 0, "runs": 0}, "There is no image to train on"),
        ({"known_proportion": 0.0, "runs": 0}, "There is nothing to learn from yet"),
    ],
)
def test_nothing_to_learn_from(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served], options: dict[str, Any], words: str
) -> None:
    page = open_page(serve_studio("bare", **options).url, "#/train")
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_text("Nothing has been trained yet")).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    assert_accessible(page)


def test_small_laptop(open_page: Callable[..., Page], served: Served, scheme: str) -> None:
    write_events(RunFolder(served.studio.jobs.folder(1)))
    page = open_page(served.url, "#/train", size=(1100, 700), scheme=scheme)
    wait_for_run(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_picture(page, f"train-small-{scheme}")


@pytest.mark.slow
def test_a_real_run_from_start_to_end(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    served = serve_studio(runs=0, known_proportion=0.6)
    page = open_page(served.url, "#/train")
    page.locator(".lm-start").get_by_role("button", name="Settings").click()
    drawer = page.get_by_role("dialog")
    for name, value in (("backbone.name", "test_resnet"), ("backbone.image_size", "32")):
        drawer.locator(f'[data-setting="{name}"] input').fill(value)
    drawer.locator('[data-setting="backbone.weights"] select').select_option("random")
    drawer.get_by_role("button", name="Use these settings").click()
    began = time.time()
    page.keyboard.press("t")
    expect(page.get_by_text("Run 1 has started.")).to_be_visible(timeout=RUN_MS)
    expect(page.locator(".lm-run-head .lm-run-status")).to_have_text("finished", timeout=RUN_MS)
    expect(page.locator(".lm-run-line")).to_contain_text("pseudo-label", timeout=RUN_MS)
    expect(page.locator(".lm-chart", has_text="Loss").locator("path")).to_be_visible()
    info = served.studio.jobs.info(1)
    assert info.created >= began - 1
    assert RunFolder(info.folder).config().settings.backbone.name == "test_resnet"
    page.keyboard.press("l")
    expect(page.locator(".lm-run-log")).to_contain_text("training the head")
