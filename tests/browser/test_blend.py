"""Blend in a real Chromium: drawn or built, answered in the truth table, and what else can be seen of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from logicmix_studio.studio import Studio
from tests.browser.checks import assert_accessible, look_at, wait_until_quiet
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser

FIRST_BLEND_MS = 120_000
"""The first blend of a process imports torch."""
ROW = "#tab-blend tr[data-class]"
PANELS = ("Truth table", "Other methods", "As the network sees it", "Model scores", "1,000 blends")
CAPTION = re.compile(r"classes\.$")


@pytest.fixture
def open_blend(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Open Blend with an address, and wait for the blend."""

    def open_it(served: Served, *, until: str = ROW, **address: str) -> Page:
        query = "&".join(f"{name}={value}" for name, value in {"tab": "blend", **address}.items())
        page = open_page(served.url, f"?{query}", size=(1400, 900), until="text=Draw like the trainer")
        page.wait_for_selector(until, timeout=FIRST_BLEND_MS)
        wait_until_quiet(page)
        return page

    return open_it


def _caption(page: Page) -> Locator:
    return page.locator("#tab-blend .prose p").first


def _sources(page: Page) -> Locator:
    return page.locator("#tab-blend .gallery-item:visible")


def _state(studio: Studio, path: str, name: str) -> int:
    return int(studio.states[studio.table.paths.index(path), studio.class_names.index(name)])


def test_every_panel_in_light_and_dark(serve_studio: Callable[..., Served], open_blend: Callable[..., Page]) -> None:
    page = open_blend(serve_studio(trial=True))
    assert _sources(page).count() >= 2
    for number, panel in enumerate(PANELS, 1):
        page.get_by_role("tab", name=panel).click()
        expect(page.get_by_role("tab", name=panel)).to_have_attribute("aria-selected", "true")
        wait_until_quiet(page)
        look_at(page, f"blend-{number}")


def test_next_and_previous_by_key_and_the_address_brings_it_back(
    served: Served, open_blend: Callable[..., Page]
) -> None:
    page = open_blend(served)
    first = _caption(page).inner_text()
    page.keyboard.press("d")
    expect(_caption(page)).not_to_have_text(first)
    expect(page).to_have_url(re.compile(r"tab=blend&seed=526&sample=\d+&min_sources=2&max_sources=3"))
    second = _caption(page).inner_text()
    other = open_blend(served, **dict(re.findall(r"(\w+)=([\w.]+)", page.url.split("&", 1)[1])))
    expect(_caption(other)).to_have_text(second)
    assert other.get_by_label("sample").input_value() == page.get_by_label("sample").input_value()
    page.keyboard.press("ArrowLeft")
    expect(_caption(page)).to_have_text(first)


def test_an_answer_changes_the_label_before_ones_eyes(served: Served, open_blend: Callable[..., Page]) -> None:
    page = open_blend(served)
    page.get_by_role("button", name=re.compile("^open")).click()
    ask = page.locator("#tab-blend td:not(.held) [data-answer='1']").first
    name = ask.locator("xpath=ancestor::tr").get_attribute("data-class") or ""
    source = re.search(r"image (\d+)", ask.get_attribute("title") or "")
    assert source
    path = page.locator("#tab-blend thead .source").nth(int(source[1]) - 1).get_attribute("title") or ""
    row = page.locator(f"{ROW}[data-class='{name}']")
    expect(row).to_contain_text("nobody looked")
    ask.click()
    expect(row.locator(".lm-chip")).to_have_text("positive")
    expect(row).to_contain_text("one has it: image")
    expect(page.get_by_text(f"The blend's {name} went from unknown to positive")).to_be_visible()
    assert _state(served.studio, path, name) == 1
    line = served.studio.ledger.lines[-1]
    assert (line.origin, line.who, line.cells[0].class_name) == ("blend", "ada", name)
    page.keyboard.press("z")
    expect(row.locator(".lm-chip")).to_have_text("unknown")
    assert _state(served.studio, path, name) == 0
    page.keyboard.press("x")
    expect(row.locator(".lm-chip")).to_have_text("positive")


def test_filters_count_the_rows_they_show(served: Served, open_blend: Callable[..., Page]) -> None:
    page = open_blend(served)
    shown = 0
    for state in ("positive", "negative", "open"):
        tab = page.get_by_role("button", name=re.compile(rf"^{state} \d"))
        tab.click()
        shown += page.locator(ROW).count()
        assert tab.inner_text().split()[-1] == str(page.locator(ROW).count())
    assert shown == 6


def test_build_one_by_class_and_state(served: Served, open_blend: Callable[..., Page]) -> None:
    studio, page = served.studio, open_blend(served)
    page.get_by_text("Build one").click()
    trained = np.array([split == "train" for split in studio.table.splits])
    counts = (studio.states[trained] == 1).sum(axis=0)
    count, name = int(counts.max()), studio.class_names[int(counts.argmax())]
    page.get_by_label("class", exact=True).fill(name)
    page.get_by_role("option", name=name, exact=True).click()
    page.get_by_label("its state").click()
    page.get_by_role("option", name="positive", exact=True).click()
    expect(page.locator("#blend-found .tile")).to_have_count(count)
    page.locator("#blend-found .tile").first.click()
    expect(_sources(page)).to_have_count(1)
    expect(page.locator("#blend-found .badge")).to_have_text(["1"])
    page.locator("#blend-found .tile").nth(1).click()
    expect(_sources(page)).to_have_count(2)
    expect(page).to_have_url(re.compile(r"images=[0-9a-f]{24}%2C[0-9a-f]{24}"))
    look_at(page, "blend-build")
    _sources(page).nth(1).locator("button").click()
    page.get_by_role("button", name="Take image 2 out").click()
    expect(_sources(page)).to_have_count(1)
    page.get_by_role("button", name="Start anew").click()
    expect(_caption(page)).to_contain_text("No images yet")


def test_wrong_negatives_are_marked_where_the_truth_is_known(
    serve_studio: Callable[..., Served], open_blend: Callable[..., Page]
) -> None:
    page = open_blend(serve_studio(trial=True, known_proportion=0.05), panel="methods", until="text=LogicMix")
    expect(page.get_by_text("marks a wrong negative")).to_be_visible(timeout=FIRST_BLEND_MS)
    captions = page.locator("#tab-blend .caption-label:visible").filter(has_text="wrong negative")
    expect(captions).to_have_count(6)
    expect(captions.nth(0)).to_contain_text("✓ no wrong negative")
    expect(captions.nth(1)).to_contain_text(re.compile(r"✗ \d+ wrong negative"))
    expect(page.get_by_role("gridcell", name="negative ✗").first).to_be_visible()


def test_names_made_of_html_are_text(serve_studio: Callable[..., Served], open_blend: Callable[..., Page]) -> None:
    names = ("<img src=x onerror=alert(1)>", "🐕 ${hund}", "שלום", "a" * 200)
    paths = ["<b>bold<b>.jpg", "🐈.jpg", "c&d.jpg"]
    served = serve_studio("odd", class_names=names, paths=paths, num_images=3)
    page = open_blend(served, images=",".join(served.studio.image_ids))
    assert sorted(page.locator(f"{ROW} th").all_text_contents()) == sorted(names)
    captions = " ".join(page.locator("#tab-blend .caption-label").all_text_contents())
    assert all(path in captions for path in paths)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_empty_data_set_and_a_broken_image_say_so(
    serve_studio: Callable[..., Served], open_blend: Callable[..., Page]
) -> None:
    page = open_blend(serve_studio("empty", num_images=0, runs=0), until="text=there are no images to blend")
    assert_accessible(page)
    served = serve_studio("broken")
    for image_id in served.studio.image_ids:
        served.studio.image_path(image_id).write_bytes(b"no image")
    page = open_blend(served)  # its labels are known all the same
    expect(_caption(page)).to_contain_text("The blend could not be drawn")


def test_small_laptop(served: Served, open_page: Callable[..., Page]) -> None:
    page = open_page(served.url, "?tab=blend", size=(1024, 768), until="#blend-next")
    page.wait_for_selector(ROW, timeout=FIRST_BLEND_MS)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    look_at(page, "blend-small")
