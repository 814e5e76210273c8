"""A whole round in a real Chromium with a real trainer: train, answer, undo, train again, export."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from logicmix_studio.importing import store_tables
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import locate_workspace
from logicmix_studio.studio import Studio
from logicmix_studio.training.run_folder import RunFolder
from tests.browser.checks import go_to_tab, keep_picture, show_scheme, wait_until_quiet
from tests.browser.conftest import Served
from tests.tiny_runs import CLASS_NAMES, paint_images

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STREAM = "#review-stream .stream"


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Open 60 coloured images, one of them gone since, of which half the cells are known."""
    snapshot = paint_images(tmp_path / "colours", 60)
    table = LabelTable.build(snapshot.paths.tolist(), CLASS_NAMES, snapshot.states, snapshot.splits.tolist())
    store_tables(locate_workspace(tmp_path / "colours"), table, None)
    (tmp_path / "colours" / table.paths[0]).unlink()
    return Studio.open(tmp_path / "colours", who="ada")


def choose_small_network(page: Page) -> None:
    """Set what a run shall train, so that it takes a second."""
    go_to_tab(page, "train")
    page.get_by_role("radio", name=re.compile("^fast")).check()
    page.get_by_role("button", name="Settings", exact=False).first.click()
    page.get_by_label("Find a setting").fill("backbone")
    page.get_by_label("Name of the network in timm").fill("test_resnet")
    page.get_by_label("image size").fill("32")
    page.get_by_role("combobox", name="weights").click()
    page.get_by_role("option", name="random").click()


def train(page: Page, run: int) -> None:
    """Start a run and wait until its pseudo-labels stand."""
    go_to_tab(page, "train")
    page.get_by_role("button", name="Start training").click()
    head = page.locator("section.run")
    expect(head.locator("h2")).to_have_text(re.compile(f"^run {run} finished"))
    expect(head.locator(".line")).to_contain_text("pseudo-label")
    expect(head.locator(".warning")).to_contain_text("1 of 60 images are missing or unreadable and left out")
    expect(page.get_by_text("◐ The pseudo-labels come from run")).to_be_visible()


def test_a_round(studio: Studio, serve_studio: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    page = open_page(serve_studio(opened=studio).url, size=(1400, 900))
    expect(page.locator("#next-step h2")).not_to_have_text("…")
    choose_small_network(page)
    train(page, 1)
    assert RunFolder(studio.jobs.folder(1)).config().settings.backbone.name == "test_resnet"
    page.locator("#tab-train").get_by_role("button", name="Log").click()
    expect(page.locator(".lm-log textarea")).to_have_value(re.compile("training the head"))
    wait_until_quiet(page)
    keep_picture(page, "round-train")

    go_to_tab(page, "review")
    page.get_by_label("Which cells").locator("visible=true").click()
    page.get_by_role("option", name="All unknown").click()
    expect(page).to_have_url(re.compile("scope=open"))
    cells = []
    for key in "yny":
        cells.append(page.locator(f"{STREAM}[data-state=card]").get_attribute("data-cell") or "")
        page.keyboard.press(key)
        expect(page.locator(STREAM)).not_to_have_attribute("data-cell", cells[-1])
    page.keyboard.press("z")
    expect(page.locator(STREAM)).to_have_attribute("data-cell", cells[-1])
    expect(page.locator("#review-stream .saved")).to_have_text("All answers saved")
    wait_until_quiet(page)
    keep_picture(page, "round-review")

    page.set_viewport_size({"width": 1024, "height": 768})  # the second half on a small screen, and dark
    show_scheme(page, "dark")
    train(page, 2)
    go_to_tab(page, "overview")
    page.get_by_role("button", name="Data set: export").click()
    data = page.locator("#data-set")
    data.get_by_role("radio", name="csv-long").check()
    data.get_by_role("button", name="Write the file").click()
    expect(data.get_by_label("What the file does not hold")).to_be_visible()
    with page.expect_download() as download:
        data.get_by_role("button", name="Save").click()
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        rows = {(row["image"], row["class"]): row for row in csv.DictReader(file)}
    ids = dict(zip(studio.image_ids, studio.table.paths, strict=True))

    def row(cell: str) -> dict[str, str]:
        image, name = cell.split(" ", 1)
        return rows.get((ids[image], name), {})

    assert [(row(cell)["value"], row(cell)["source"] != "pseudo") for cell in cells[:2]] == [("1", True), ("0", True)]
    assert row(cells[2]).get("source", "pseudo") == "pseudo", "what was taken back is unknown again"
