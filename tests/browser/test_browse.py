"""Browse in a real Chromium: filters in the address, one image by keys, many at once, a stale page, strange names."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from logicmix_studio.explore.image_query import FoundImages, ImageQuery
from logicmix_studio.studio import Studio
from tests.browser.checks import go_to_tab, keep_picture, look_at, wait_until_quiet
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser

TILE = "#browse-grid .tile"
ACTIVE = "#browse-image .row[aria-selected=true]"


@pytest.fixture
def open_browse(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Open Browse with filters, and wait for what it finds."""

    def open_it(served: Served, *, until: str = TILE, **filters: str) -> Page:
        query = "&".join(f"{name}={value}" for name, value in {"tab": "browse", **filters}.items())
        page = open_page(served.url, f"?{query}", size=(1400, 900), until=until)
        wait_until_quiet(page)
        return page

    return open_it


def _state(studio: Studio, image_id: str, class_name: str) -> int:
    return studio.ledger.value(*studio.ledger.position(image_id, class_name)).state


def _count(page: Page) -> Locator:
    return page.locator("#browse-grid .count")


def _tile(page: Page, image_id: str) -> Locator:
    return page.locator(f"{TILE}[data-key='{image_id}']")


def test_filters_are_combined_and_stand_in_the_address(served: Served, open_browse: Callable[..., Page]) -> None:
    studio, page = served.studio, open_browse(served)
    expect(_count(page)).to_have_text("24 images")
    expect(page.locator("#browse-grid .note")).to_contain_text("2 of them test images")
    look_at(page, "browse")
    page.get_by_label("Class", exact=True).fill("sta")
    page.get_by_role("option", name="star", exact=True).click()
    page.get_by_role("radio", name=re.compile("○ negative")).click()
    page.get_by_label("Text in the path").press_sequentially("part1")
    starless = studio.states[:, studio.class_names.index("star")] == -1
    wanted = int((starless & np.array(["part1" in path for path in studio.table.paths])).sum())
    assert wanted
    expect(_count(page)).to_have_text(re.compile(f"^{wanted} image"))
    expect(page).to_have_url(re.compile("class_name=star&state=negative&path=part1"))
    page.reload()
    expect(_count(page)).to_have_text(re.compile(f"^{wanted} image"))
    expect(page.get_by_label("Class", exact=True)).to_have_value("star")
    page.get_by_label("Text in the path").press_sequentially(" no such path")
    expect(page.get_by_text("No image fits these filters")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(_count(page)).to_have_text("24 images")
    expect(page).to_have_url(re.compile(r"\?tab=browse$"))


def test_an_address_names_as_many_images_as_the_plugin_lets_it(
    served: Served, open_browse: Callable[..., Page]
) -> None:
    chosen = [served.studio.image_ids[row] for row in (2, 5, 11, 17)]
    page = open_browse(served, images=",".join(100 * chosen))
    expect(_count(page)).to_have_text("4 images")
    expect(page.locator("#browse-grid .note")).to_contain_text("only those that were chosen")
    keep_picture(page, "browse-chosen")
    page.get_by_role("radio", name=re.compile("unknown")).click()
    expect(_count(page)).to_have_text("3 images")
    expect(page).to_have_url(re.compile("state=unknown&images="))
    page.get_by_role("button", name="Clear the filters").click()
    expect(_count(page)).to_have_text("24 images")


def test_a_filter_chosen_while_another_is_applied_stays(
    served: Served, open_browse: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, page, find = served.studio, open_browse(served), served.studio.images.find
    applied = {"": threading.Event(), "positive": threading.Event()}

    def find_when_allowed(query: ImageQuery, **options: Any) -> FoundImages:
        if query.class_name == "star":
            applied[query.state].wait(60)
        return find(query, **options)

    monkeypatch.setattr(studio.images, "find", find_when_allowed)
    page.get_by_label("Class", exact=True).fill("sta")
    page.get_by_role("option", name="star", exact=True).click()
    positive = page.get_by_role("radio", name=re.compile("● positive"))
    positive.click()
    applied[""].set()
    expect(page).to_have_url(re.compile("class_name=star$"))
    expect(positive).to_be_checked()
    applied["positive"].set()
    expect(page).to_have_url(re.compile("class_name=star&state=positive$"))
    expect(positive).to_be_checked()


LATE = """
(() => {
  const [plainFetch, plainTimeout] = [window.fetch, window.setTimeout];
  window.setTimeout = (call, ms, ...told) => plainTimeout(call, told[0]?.event_id ? 200 : ms, ...told);
  window.fetch = async (...asked) => {
    const answer = await plainFetch(...asked);
    if (window.isLate && String(asked[0]).includes("queue/join")) await new Promise((done) => plainTimeout(done, 100));
    return answer;
  };
})()
"""
"""Timers are late with what the queue answers, and, once `isLate` is set, so are the acknowledgements of calls."""


def test_what_was_asked_last_is_shown_last(
    served: Served, open_browse: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, find, is_pressed = open_browse(served), served.studio.images.find, threading.Event()

    def find_once_pressed(query: ImageQuery, **options: Any) -> FoundImages:
        if query.path:
            is_pressed.wait(60)
        return find(query, **options)

    monkeypatch.setattr(served.studio.images, "find", find_once_pressed)
    page.add_init_script(LATE)
    page.reload()
    expect(_count(page)).to_have_text("24 images")
    wait_until_quiet(page)
    with page.expect_response(re.compile("queue/join")):
        page.get_by_label("Text in the path").press("?")
    page.evaluate("window.isLate = true")
    with page.expect_response(re.compile("queue/join")):
        page.get_by_role("button", name="Clear the filters").click()
    is_pressed.set()
    wait_until_quiet(page)
    expect(_count(page)).to_have_text("24 images")
    expect(page).to_have_url(re.compile(r"\?tab=browse$"))


def test_one_image_is_answered_by_keys(served: Served, open_browse: Callable[..., Page]) -> None:
    studio = served.studio
    row, column = np.argwhere(studio.proposed.array() == 1)[0]
    image, name = studio.image_ids[row], studio.class_names[column]
    page = open_browse(served, class_name=name)
    _tile(page, image).click()
    expect(page.locator(ACTIVE)).to_contain_text(name)
    expect(page).to_have_url(re.compile(f"image={image}"))
    expect(page.locator("#browse-image .tiles img").first).to_be_visible()
    expect(page.locator("#browse-image .story")).to_contain_text("suggests positive")
    wait_until_quiet(page)
    look_at(page, "browse-image")
    page.keyboard.press("a")
    expect(page.locator("#browse-image .saved")).to_have_text("All answers saved")
    cell = studio.ledger.lines[-1].cells[0]
    assert (cell.class_name, cell.answer, studio.ledger.lines[-1].run) == (name, "accept", 1)
    expect(page.locator(ACTIVE)).not_to_contain_text(name)
    expect(_tile(page, image).locator(".chip").first).to_have_class(re.compile("positive"))
    page.keyboard.press("z")
    expect(page.locator(ACTIVE)).to_contain_text(name)
    expect(page.locator("#browse-image .story")).to_contain_text("took back line 1")
    assert _state(studio, image, name) == 0
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(f"image={studio.image_ids[row + 1]}"))
    page.keyboard.press("e")
    expect(page.locator("#browse-image dialog img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#browse-image dialog")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#browse-image .view")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("image="))
    expect(_tile(page, studio.image_ids[row + 1])).to_be_focused()


def test_many_are_set_and_known_ones_only_when_told_to(served: Served, open_browse: Callable[..., Page]) -> None:
    studio, page = served.studio, open_browse(served, class_name="ring")
    before = studio.states[:, 5].copy()
    unknown, positive = int((before == 0).sum()), int((before == 1).sum())
    page.get_by_role("button", name="Select all that are seen").click()
    expect(page.get_by_text("24 selected")).to_be_visible()
    page.get_by_role("button", name="○ negative").click()
    expect(page.get_by_text(f"24 selected: {unknown} unknown will be set to negative")).to_be_visible()
    keep_picture(page, "browse-many-light")
    page.get_by_role("button", name=f"Set the {unknown} unknown").click()
    expect(page.get_by_text(f"{unknown} set to negative")).to_be_visible()
    assert studio.states[:, 5].tolist() == np.where(before == 0, -1, before).tolist()
    assert studio.ledger.seq == 1
    expect(page.locator(f"{TILE}[aria-selected=true]")).to_have_count(0)
    page.get_by_role("button", name="Select all that are seen").click()
    page.get_by_role("button", name="○ negative").click()
    page.get_by_role("button", name=f"Change the {positive} known").click()
    expect(page.get_by_text(f"{positive} set to negative")).to_be_visible()
    assert (studio.states[:, 5] == -1).all()
    page.locator(TILE).first.focus()
    for _ in range(2):
        page.keyboard.press("z")
    page.wait_for_function("() => document.querySelectorAll('#browse-grid .chip.negative').length < 24")
    expect(page.locator("#browse-grid .chip:first-child.negative")).to_have_count(int((before == -1).sum()))
    assert studio.states[:, 5].tolist() == before.tolist()


def test_a_stale_page_does_not_overwrite_what_was_answered_since(
    served: Served, open_browse: Callable[..., Page]
) -> None:
    studio, page = served.studio, open_browse(served, class_name="circle", state="open")
    page.get_by_role("button", name="Select all that are seen").click()
    expect(page.get_by_text(re.compile(r"\d+ selected"))).to_be_visible()
    image = page.locator(TILE).first.get_attribute("data-key")
    assert image is not None
    studio.decide(image, "circle", 1)
    page.get_by_role("button", name="○ negative").click()
    page.get_by_role("button", name=re.compile("Set the .* unknown")).click()
    expect(page.get_by_text("set to negative. Undo")).to_be_visible()
    assert _state(studio, image, "circle") == 1
    expect(page.get_by_role("button", name="Labels have changed")).to_be_visible()
    page.get_by_role("button", name="Labels have changed").click()
    expect(page.get_by_text("No image fits these filters")).to_be_visible()


def test_the_grid_is_walked_selected_and_answered_by_keys(served: Served, open_browse: Callable[..., Page]) -> None:
    studio = served.studio
    page = open_browse(served, class_name="star", state="open")
    page.locator(TILE).first.focus()
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(page.get_by_text("3 selected")).to_be_visible()
    chosen = page.locator(f"{TILE}[aria-selected=true]").evaluate_all("all => all.map(one => one.dataset.key)")
    page.keyboard.press("y")
    expect(page.get_by_text("3 set to positive")).to_be_visible()
    assert [_state(studio, image, "star") for image in chosen] == [1, 1, 1]
    expect(page.locator(f"{TILE}[aria-selected=true]")).to_have_count(0)  # the message comes before the answer
    page.keyboard.press(" ")
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("1 selected")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#browse-image .view")).to_be_visible()


def test_pages_of_sixty_and_a_neighbour_on_the_next_page(
    serve_studio: Callable[..., Served], open_browse: Callable[..., Page]
) -> None:
    served = serve_studio(num_images=130, draw_every=130, runs=0, side=32)
    page = open_browse(served)
    expect(_count(page)).to_have_text("1–60 of 130 images")
    page.locator(TILE).last.click()
    expect(page.locator("#browse-image h2")).to_have_text("image-00059.jpg")
    expect(page.get_by_text("Once a run is trained, the images")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#browse-image h2")).to_have_text("image-00060.jpg")
    expect(_count(page)).to_have_text("61–120 of 130 images")
    page.get_by_role("button", name="Next page").click()
    expect(_count(page)).to_have_text("121–130 of 130 images")
    expect(page.locator(TILE)).to_have_count(10)
    expect(page.get_by_role("button", name="Next page")).to_be_hidden()


def test_filters_stay_while_another_tab_is_looked_at(served: Served, open_browse: Callable[..., Page]) -> None:
    page = open_browse(served, class_name="star")
    go_to_tab(page, "train")
    go_to_tab(page, "browse")
    expect(page).to_have_url(re.compile("tab=browse&class_name=star"))
    expect(page.locator("#browse-grid .chip:first-child").first).to_contain_text("star")


def test_strange_names_are_text_and_a_broken_picture_keeps_its_labels(
    serve_studio: Callable[..., Served], open_browse: Callable[..., Page]
) -> None:
    evil = "<img src=x onerror=document.title='owned'>${alert(1)}`{{x}}"
    served = serve_studio(
        class_names=[evil, "🦊 fox", "כלב"], paths=["<b>bold.jpg", "🦊.jpg", "a#b?c.jpg"], num_images=3
    )
    studio = served.studio
    studio.image_path(studio.image_ids[0]).write_bytes(b"broken")
    page = open_browse(served, image=studio.image_ids[0])
    expect(page.get_by_text("This image can't be shown")).to_be_visible()
    expect(page.locator("#browse-image .name")).to_have_count(3)
    expect(page.locator("#browse-image .name", has_text=evil)).to_be_visible()
    expect(page.locator("#browse-image h2")).to_have_text("<b>bold.jpg")
    page.locator("#browse-image .row", has_text=evil).get_by_role("button", name="positive").click()
    expect(page.locator("#browse-image .saved")).to_have_text("All answers saved")
    assert _state(studio, studio.image_ids[0], evil) == 1
    assert page.title() != "owned"
