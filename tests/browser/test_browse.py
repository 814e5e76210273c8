from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import assert_accessible, keep_picture, wait_for_tab
from tests.browser.conftest import Served
from tests.browser.live_runs import make_live, write_progress
from tests.workspaces import add_run

pytestmark = pytest.mark.browser


@pytest.fixture
def page(studio_page: Page) -> Page:
    studio_page.click("[data-tab-id=browse]")
    wait_for_tab(studio_page, "browse")
    expect(studio_page.locator(".lm-br-tile img").first).to_be_visible()
    return studio_page


def test_the_grid_in_light_and_dark(open_page: Callable[..., Page], server_url: str, scheme: str) -> None:
    page = open_page(server_url, "#/browse", scheme=scheme)
    expect(page.locator(".lm-br-tile img").first).to_be_visible()
    expect(page.locator(".lm-br-count")).to_contain_text("24 images")
    assert_accessible(page)
    keep_picture(page, f"browse-{scheme}")


def test_filters_are_combined_and_stand_in_the_address(page: Page, served: Served) -> None:
    studio = served.studio
    page.get_by_label("Class", exact=True).fill("star")
    expect(page).to_have_url(re.compile("class=star"))
    page.get_by_role("radio", name=re.compile("^positive")).click()
    expect(page).to_have_url(re.compile("class=star&state=positive"))
    column = studio.class_names.index("star")
    wanted = int((studio.states[:, column] == 1).sum())
    expect(page.locator(".lm-br-count b")).to_have_text(str(wanted))
    page.get_by_label("Text in the path").fill("part1")
    in_part = sum(
        studio.states[row, column] == 1 and "part1" in path for row, path in enumerate(studio.table.paths)
    )
    expect(page.locator(".lm-br-count b")).to_have_text(str(in_part))
    address = page.url
    page.reload()
    expect(page.locator(".lm-br-count b")).to_have_text(str(in_part))
    assert page.url == address
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".lm-br-count b")).to_have_text("24")


def test_nothing_found_offers_a_way_back(page: Page) -> None:
    page.get_by_label("Text in the path").fill("no such path")
    expect(page.get_by_text("No image fits these filters")).to_be_visible()
    page.get_by_role("button", name="Show all images").click()
    expect(page.locator(".lm-br-tile").first).to_be_visible()


def test_one_image_is_edited_by_keys(page: Page, served: Served, scheme: str) -> None:
    studio = served.studio
    page.emulate_media(color_scheme=scheme)
    image = studio.image_ids[0]
    page.locator(".lm-br-tile").first.click()
    dialog = page.get_by_role("dialog", name="Image")
    expect(dialog.locator(".lm-bi-row")).to_have_count(6)
    expect(page).to_have_url(re.compile(f"image={image}"))
    expect(dialog.locator(".lm-bi-strip img").first).to_be_visible()
    assert_accessible(page)
    keep_picture(page, f"browse-image-{scheme}")
    name = dialog.locator(".lm-bi-active .lm-bi-class").get_attribute("title")
    assert name is not None
    row, column = studio.ledger.position(image, name)
    before = studio.ledger.value(row, column)
    page.keyboard.press("n")
    expect(dialog.locator(".lm-bi-history")).to_contain_text("ada")
    assert studio.ledger.value(row, column).state == -1
    page.keyboard.press("z")
    expect(page.locator(".lm-toast")).to_contain_text("Undone")
    assert studio.ledger.value(row, column) == before
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(f"image={studio.image_ids[1]}"))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("image="))


def test_an_accepted_pseudo_label_is_journalled_as_such(page: Page, served: Served) -> None:
    studio = served.studio
    row = int((studio.proposals_array() != 0).any(axis=1).nonzero()[0][0])
    page.goto(page.url.split("#")[0] + f"#/browse?image={studio.image_ids[row]}")
    dialog = page.get_by_role("dialog", name="Image")
    expect(dialog.locator(".lm-bi-active .lm-mark-pseudo").first).to_be_visible()
    page.keyboard.press("a")
    expect(dialog.locator(".lm-bi-history")).to_contain_text("accepted")
    cell = studio.ledger.lines[-1].cells[0]
    assert cell.answer == "accept"
    assert studio.ledger.lines[-1].run == 1
    assert cell.score is not None


def test_many_cells_are_one_line_and_one_undo(page: Page, served: Served) -> None:
    studio = served.studio
    before = studio.states.copy()
    page.get_by_label("Class", exact=True).fill("ring")
    expect(page).to_have_url(re.compile("class=ring"))
    expect(page.locator(".lm-br-grid[aria-busy]")).to_have_count(0)
    page.get_by_role("button", name="Select all").click()
    bar = page.get_by_role("region", name="Selected images")
    expect(bar).to_contain_text("24 selected")
    bar.get_by_role("button", name="negative").click()
    expect(page.locator(".lm-toast")).to_contain_text("“ring” is negative in 24 images")
    assert studio.ledger.seq == 1
    assert (studio.states[:, studio.class_names.index("ring")] == -1).all()
    page.locator(".lm-toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".lm-toast").last).to_contain_text("Undone")
    assert (studio.states == before).all()


def test_the_grid_is_walked_and_selected_by_keys(page: Page) -> None:
    page.locator(".lm-br-grid").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_role("region", name="Selected images")).to_contain_text("3 selected")
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Selected images")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Image")).to_be_visible()


def test_a_run_in_progress_leaves_the_selection_alone(page: Page, served: Served) -> None:
    page.locator(".lm-br-grid").focus()
    for key in ("ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    folder = make_live(served)
    expect(page.get_by_text("Run 2 is training")).to_be_visible()
    bar = page.get_by_role("region", name="Selected images")
    for step in (0.5, 0.6):
        with page.expect_response("**/api/session/pulse"):
            write_progress(folder, step)
            served.studio.refresh()
    expect(bar).to_contain_text("2 selected")
    add_run(served.studio.workspace, served.studio.table, served.studio.states, run=3)
    served.studio.refresh()
    page.get_by_role("button", name="Out of date: refresh").click()
    expect(bar).to_be_hidden()


def test_names_made_of_html_are_text(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    evil = "<img src=x onerror=document.title='owned'>"
    served = serve_studio(
        class_names=[evil, "🦊 fox"], paths=["<b>bold.jpg", "🦊.jpg", "a#b?c.jpg"], num_images=3
    )
    page = open_page(served.url, "#/overview")
    expect(page.get_by_text(evil).first).to_be_visible()
    page.goto(f"{served.url}#/browse")
    expect(page.locator(".lm-br-tile img").first).to_be_visible()
    expect(page.get_by_text("<b>bold.jpg").first).to_be_visible()
    page.locator(".lm-br-tile").first.click()
    expect(page.get_by_role("dialog", name="Image").get_by_text(evil).first).to_be_visible()
    assert page.evaluate("document.title") != "owned"


def test_a_broken_picture_keeps_its_labels(served: Served, open_page: Callable[..., Page]) -> None:
    studio = served.studio
    studio.image_path(studio.image_ids[0]).write_bytes(b"broken")
    page = open_page(served.url, f"#/browse?image={studio.image_ids[0]}")
    dialog = page.get_by_role("dialog", name="Image")
    expect(dialog.get_by_text("This image can't be shown")).to_be_visible()
    expect(dialog.locator(".lm-bi-row")).to_have_count(6)


def test_a_long_list_holds_only_what_is_seen(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve_studio(num_images=3000, draw_every=3000, runs=0, side=32)
    page = open_page(served.url, "#/browse", size=(1100, 700))
    expect(page.locator(".lm-br-tile img").first).to_be_visible()
    assert page.locator(".lm-br-tile").count() < 80
    page.locator(".lm-br-grid").evaluate("grid => { grid.scrollTop = grid.scrollHeight; }")
    expect(page.get_by_text("image-02999.jpg")).to_be_visible()
    assert page.locator(".lm-br-tile").count() < 80
    keep_picture(page, "browse-end-small")
