from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from logicmix_studio.studio import Studio
from tests.browser.checks import assert_accessible, keep_picture
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser

PANELS = ("Truth table", "Other methods", "As the network sees it", "Model scores", "1,000 blends")


FIRST_BLEND_MS = 60_000
"""The first blend of a process imports torch."""


def wait_for_blend(page: Page) -> None:
    expect(page.locator(".lm-truth tbody tr").first).to_be_visible(timeout=FIRST_BLEND_MS)
    expect(page.locator(".lm-blend-frame")).not_to_have_class(
        re.compile("is-loading"), timeout=FIRST_BLEND_MS
    )


def open_row(page: Page) -> tuple[str, str]:
    """Return class and file of the first cell that nobody has looked at."""
    ask = page.locator(".lm-truth-answer").first
    name = ask.locator("xpath=ancestor::tr").get_attribute("data-class")
    position = int(ask.get_attribute("data-position") or 0)
    file = page.locator(".lm-blend-source-link").nth(position).get_attribute("title")
    assert name is not None
    assert file is not None
    return name, file


def state_of(studio: Studio, path: str, name: str) -> int:
    return int(studio.states[studio.table.paths.index(path), studio.class_names.index(name)])


def test_every_panel_in_light_and_dark(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served], scheme: str
) -> None:
    served = serve_studio(trial=True)
    page = open_page(served.url, "#/blend", scheme=scheme)
    wait_for_blend(page)
    assert page.locator(".lm-blend-source").count() >= 2
    for number, panel in enumerate(PANELS, 1):
        page.get_by_role("tab", name=panel).click()
        expect(page.locator(".lm-blend-body .lm-skeleton")).to_have_count(0, timeout=60_000)
        expect(page.locator(".lm-blend-body [role=alert]")).to_have_count(0)
        page.wait_for_load_state("networkidle")
        assert_accessible(page)
        keep_picture(page, f"blend-{number}-{scheme}")


def test_same_address_same_blend(open_page: Callable[..., Page], server_url: str) -> None:
    page = open_page(server_url, "#/blend")
    wait_for_blend(page)
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(r"#/blend\?seed=\d+.*ids=[0-9a-f]{24}"))
    wait_for_blend(page)
    sources = page.locator(".lm-blend-source-link").all_text_contents()
    other = open_page(page.url)
    wait_for_blend(other)
    assert other.locator(".lm-blend-source-link").all_text_contents() == sources
    assert other.get_by_label("seed").input_value() == page.get_by_label("seed").input_value()


def test_next_and_back_by_key(open_page: Callable[..., Page], server_url: str) -> None:
    page = open_page(server_url, "#/blend")
    wait_for_blend(page)
    first, seed = (
        page.locator(".lm-blend-picture").get_attribute("src"),
        page.get_by_label("seed").input_value(),
    )
    page.keyboard.press("n")
    expect(page.locator(".lm-blend-picture")).not_to_have_attribute("src", first or "")
    assert int(page.get_by_label("seed").input_value()) > int(seed)
    page.keyboard.press("p")
    expect(page.locator(".lm-blend-picture")).to_have_attribute("src", first or "")


def test_an_answer_changes_the_label_before_ones_eyes(open_page: Callable[..., Page], served: Served) -> None:
    page = open_page(served.url, "#/blend")
    wait_for_blend(page)
    page.get_by_role("radio", name=re.compile("^unknown|Open")).first.click()
    name, path = open_row(page)
    row = page.locator(f'.lm-truth tr[data-class="{name}"]')
    expect(row.locator(".lm-truth-result")).to_contain_text("unknown")
    row.locator('.lm-truth-answer[data-answer="1"]').first.click()
    expect(row.locator(".lm-truth-result")).to_contain_text("positive")
    expect(row.locator(".lm-truth-reason")).to_contain_text("domination")
    expect(page.get_by_text(f"The blend's {name} went from unknown to positive")).to_be_visible()
    assert state_of(served.studio, path, name) == 1
    line = served.studio.ledger.lines[-1]
    assert (line.origin, line.who, line.cells[0].class_name) == ("blend", "ada", name)
    page.keyboard.press("u")
    expect(row.locator(".lm-truth-result")).to_contain_text("unknown")
    assert state_of(served.studio, path, name) == 0


def test_no_settles_the_last_open_source(open_page: Callable[..., Page], served: Served) -> None:
    page = open_page(served.url, "#/blend")
    wait_for_blend(page)
    name, _ = open_row(page)
    row = page.locator(f'.lm-truth tr[data-class="{name}"]')
    asked = row.locator(".lm-truth-ask")
    for left in reversed(range(asked.count())):
        row.locator('.lm-truth-answer[data-answer="-1"]').first.click()
        expect(asked).to_have_count(left)
    expect(row.locator(".lm-truth-result")).not_to_contain_text("unknown")


def test_filters_of_the_truth_table(open_page: Callable[..., Page], served: Served) -> None:
    page = open_page(served.url, "#/blend")
    wait_for_blend(page)
    everything = page.locator(".lm-truth tbody tr").count()
    assert everything == 6
    shown = 0
    for state in ("Positive", "Negative", "Open"):
        page.get_by_role("radio", name=re.compile(rf"^{state} \d")).click()
        rows = page.locator(".lm-truth tbody tr")
        label = page.get_by_role("radio", name=re.compile(rf"^{state} \d")).text_content() or ""
        assert rows.count() == int(label.split()[-1])
        shown += rows.count()
    assert shown == everything


def test_build_one_by_class_and_state(open_page: Callable[..., Page], served: Served) -> None:
    page = open_page(served.url, "#/blend?mode=build")
    expect(page.get_by_role("tabpanel").get_by_text("No blend yet")).to_be_visible()
    page.get_by_role("button", name="Choose images").first.click()
    counts = (np.asarray(served.studio.states) == 1).sum(axis=0)
    count, name = int(counts.max()), served.studio.class_names[int(counts.argmax())]
    page.get_by_label("Class", exact=True).select_option(name)
    page.get_by_label("State of this class").select_option("positive")
    expect(page.locator(".lm-picker-found")).to_have_text(f"{count} image{'' if count == 1 else 's'}")
    expect(page.locator(".lm-picker-tile")).to_have_count(count)
    page.locator(".lm-picker-tile").first.click()
    page.get_by_label("State of this class").select_option("")
    page.get_by_label("Class", exact=True).select_option("")
    expect(page.locator(".lm-picker-tile")).to_have_count(24)
    page.locator(".lm-picker-tile:not([aria-pressed=true])").first.click()
    assert_accessible(page)
    page.get_by_role("button", name="Blend them").click()
    wait_for_blend(page)
    expect(page.locator(".lm-blend-source")).to_have_count(2)
    expect(page.locator(f'.lm-truth tr[data-class="{name}"] .lm-truth-result')).to_contain_text("positive")
    page.get_by_role("button", name="Take image 2 out").click()
    expect(page.locator(".lm-blend-source")).to_have_count(1)


def test_wrong_negatives_are_marked_where_the_truth_is_known(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    served = serve_studio(trial=True, known_proportion=0.05)
    page = open_page(served.url, "#/blend?panel=methods")
    heads = page.locator(".lm-methods thead th")
    expect(heads).to_have_count(7, timeout=FIRST_BLEND_MS)
    expect(heads.nth(1)).to_contain_text("no wrong negative")
    expect(heads.nth(2)).to_contain_text(re.compile(r"\d+ wrong negatives?"))
    expect(page.locator(".lm-methods td.is-wrong").first).to_be_visible()


def test_statistics_follow_the_sliders(open_page: Callable[..., Page], server_url: str) -> None:
    page = open_page(server_url, "#/blend?panel=statistics")
    expect(page.locator(".lm-statistics-drawn")).to_contain_text("1,000 draws", timeout=FIRST_BLEND_MS)
    before = page.locator(".lm-statistics-line").nth(1).inner_text()
    page.get_by_label("most sources").last.fill("6")
    expect(page.locator(".lm-statistics-line").nth(1)).not_to_have_text(before)
    expect(page.locator(".lm-statistics-line").nth(1)).to_contain_text("2 to 6 sources")


def test_saved_as_png(open_page: Callable[..., Page], server_url: str, tmp_path: Path) -> None:
    page = open_page(server_url, "#/blend")
    wait_for_blend(page)
    with page.expect_download() as caught:
        page.keyboard.press("s")
    file = tmp_path / caught.value.suggested_filename
    caught.value.save_as(file)
    assert file.name == f"blend-{page.get_by_label('seed').input_value()}.png"
    picture = np.asarray(Image.open(file).convert("RGB"))
    assert picture.shape[1] == 2240
    blend = picture[160:1000, 80:940]  # where the blend itself stands
    assert blend.std() > 3


def test_names_made_of_html_are_text(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    names = ("<img src=x onerror=alert(1)>", "🐕 hund", "a" * 200)
    paths = ["<b>bold<b>.jpg", "🐈.jpg", "c&d.jpg"]
    served = serve_studio("odd", class_names=names, paths=paths, num_images=3)
    page = open_page(served.url, "#/blend?mode=build")
    page.get_by_role("button", name="Choose images").first.click()
    for place in range(3):
        page.locator(".lm-picker-tile").nth(place).click()
    page.get_by_role("button", name="Blend them").click()
    wait_for_blend(page)
    assert page.locator(".lm-truth-class").all_text_contents() == list(names)
    assert sorted(page.locator(".lm-blend-source-link").all_text_contents()) == sorted(paths)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_empty_data_set_says_so(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    page = open_page(serve_studio("empty", num_images=0, runs=0).url, "#/blend")
    expect(page.get_by_text("there are no images to blend")).to_be_visible(timeout=FIRST_BLEND_MS)
    assert_accessible(page)


def test_a_broken_image_says_so(open_page: Callable[..., Page], served: Served) -> None:
    for image_id in served.studio.image_ids:
        served.studio.image_path(image_id).write_bytes(b"no image")
    page = open_page(served.url, "#/blend")
    expect(page.get_by_text("The blend could not be drawn")).to_be_visible(timeout=FIRST_BLEND_MS)
    expect(page.locator(".lm-truth tbody tr").first).to_be_visible()  # its labels are known all the same


def test_small_laptop(open_page: Callable[..., Page], server_url: str, scheme: str) -> None:
    page = open_page(server_url, "#/blend", size=(1100, 700), scheme=scheme)
    wait_for_blend(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_picture(page, f"blend-small-{scheme}")
