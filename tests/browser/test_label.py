from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.checks import assert_accessible, go_to_tab, keep_picture, look_at, take_requests
from tests.browser.conftest import Served

ODD = ("<b>bold</b>", "🦓 zebra", "شجرة", "${1+1}", "`tick`", "{{name}}", *(f"class {i}" for i in range(30)))


@pytest.fixture
def bare(serve_studio: Callable[..., Served]) -> Served:
    """24 images of 6 classes: nothing is known, no run has finished."""
    return serve_studio(known_proportion=0, runs=0)


def open_label(open_page: Callable[..., Page], served: Served, query: str = "", **options: object) -> Page:
    page = open_page(served.url, f"?tab=label{query}", **options)
    expect(page.locator(".stage img")).to_be_visible()
    return page


def expect_row(page: Page, served: Served, row: int) -> None:
    """Wait until an image is the one that is shown."""
    expect(page.locator(".label .path")).to_contain_text(served.studio.table.paths[row])


def expect_saved(page: Page) -> None:
    expect(page.locator(".label .saved")).to_have_text("All answers saved")


def known(served: Served, row: int) -> list[int]:
    return [int(state) for state in served.studio.states[row]]


def test_a_bare_folder_by_keys_alone(open_page: Callable[..., Page], bare: Served) -> None:
    page = open_label(open_page, bare, size=(1400, 900))
    words, part = page.locator(".bar .all"), page.locator(".bar .part")
    expect(words).to_have_text("6 absent")
    page.keyboard.press("2")
    page.keyboard.press("6")
    expect(words).to_have_text("square, ring4 absent")
    expect(part).to_have_text("square, ring4 stay unknown")
    look_at(page, "label")
    page.keyboard.press("Enter")
    expect_row(page, bare, 1)
    page.keyboard.press("1")
    page.keyboard.press("Shift+Enter")
    expect_row(page, bare, 2)
    page.keyboard.press("s")
    expect_row(page, bare, 3)
    expect_saved(page)
    assert known(bare, 0) == [-1, 1, -1, -1, -1, 1]
    assert known(bare, 1) == [1, 0, 0, 0, 0, 0]
    assert bare.studio.ledger.seq == 2

    page.keyboard.press("z")
    expect_row(page, bare, 1)
    expect(words).to_have_text("circle5 absent")
    page.keyboard.press("z")
    expect_row(page, bare, 0)
    expect(words).to_have_text("square, ring4 absent")
    expect_saved(page)
    assert not bare.studio.states.any()
    page.keyboard.press("x")
    expect_row(page, bare, 1)
    expect_saved(page)
    assert known(bare, 0) == [-1, 1, -1, -1, -1, 1]


def test_names_are_typed_and_known_cells_change_only_deliberately(open_page: Callable[..., Page], bare: Served) -> None:
    bare.studio.decide(bare.studio.image_ids[0], "star", 1)
    page = open_label(open_page, bare)
    words = page.locator(".bar .all")
    page.keyboard.press("/")
    page.keyboard.type("ri")
    expect(page.locator(".rows .row:visible")).to_have_count(2)  # triangle and ring: the one that begins so is marked
    page.keyboard.press("Enter")
    expect(words).to_have_text("ring4 absent")
    page.keyboard.type("star")
    page.keyboard.press("Enter")
    expect(words).to_contain_text("changes 1 known cell")
    expect(words).to_contain_text("absent: star")
    page.keyboard.press("Enter")
    expect_row(page, bare, 1)
    page.keyboard.press("Escape")
    expect_saved(page)
    assert known(bare, 0) == [-1, -1, -1, -1, -1, 1]


def test_answers_survive_a_reload_and_the_strip_leads_back(open_page: Callable[..., Page], bare: Served) -> None:
    page = open_label(open_page, bare)

    def no_way(route: Route) -> None:
        if "label_write" in (route.request.post_data or ""):
            route.abort()
        else:
            route.continue_()

    take_requests(page, "**/component_server/", no_way)
    for number, row in (("1", 1), ("2", 2)):
        page.keyboard.press(number)
        page.keyboard.press("Enter")
        expect_row(page, bare, row)
    assert bare.studio.ledger.seq == 0, "an answer got through"
    expect(page.locator(".label .saved")).to_contain_text("2 not saved yet")
    page.unroute_all()
    page.reload()
    expect_row(page, bare, 2)
    expect_saved(page)
    assert (known(bare, 0), known(bare, 1)) == ([1, -1, -1, -1, -1, -1], [-1, 1, -1, -1, -1, -1])
    page.reload()
    expect_row(page, bare, 2)
    expect(page.locator(".strip button")).to_have_count(3)
    page.locator(".strip button").first.click()
    expect_row(page, bare, 0)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect_row(page, bare, 2)
    page.keyboard.press("z")
    expect_row(page, bare, 1)
    expect_saved(page)
    assert known(bare, 1) == [0] * 6


def test_two_people_get_other_photographs_until_nothing_is_left(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    served = serve_studio(num_images=16, known_proportion=0, runs=0)
    pages = [open_label(open_page, served) for _ in range(2)]
    paths = [page.locator(".label .path").inner_text() for page in pages]
    assert paths[0] != paths[1]
    for page in pages:
        for _ in range(16):
            page.keyboard.press("Enter")
        expect_saved(page)
    for page in pages:
        page.reload()
        expect(page.locator(".label .empty")).to_contain_text("nothing is left to label")
    assert (served.studio.states == -1).all()
    assert served.studio.ledger.seq == 16


def test_suggestions_are_filled_in_only_where_somebody_chose_so(open_page: Callable[..., Page], served: Served) -> None:
    page = open_label(open_page, served, "&order=most+uncertain&suggestions=filled+in&threshold=0.98")
    expect_row(page, served, 6)
    words = page.locator(".bar .all")
    expect(words).to_have_text("cross1 filled in4 absent")
    page.keyboard.press("Enter")
    expect_row(page, served, 1)
    expect(words).to_have_text("cross1 filled in4 absentthough suggested: ring")
    assert_accessible(page)
    expect_saved(page)
    line = served.studio.ledger.line(1)
    assert line.extra["filled"] == ["cross"]
    assert [cell.class_name for cell in line.cells if cell.answer == "accept"] == ["cross"]
    page.get_by_label("Suggestions of the model").click()
    page.get_by_role("option", name="hidden").click()
    expect(page.locator(".rows")).not_to_contain_text("there?")
    page.keyboard.press("1")
    expect(words).to_contain_text("circle")
    go_to_tab(page, "overview")
    go_to_tab(page, "label")
    expect(page.locator(".stage img")).to_be_visible()
    assert "order=most+uncertain&suggestions=hidden" in page.url


def test_like_these_comes_by_an_address(open_page: Callable[..., Page], served: Served) -> None:
    first = served.studio.labelling.next("like these", "star", who="ada", want=1).images[0]
    served.studio.labelling.next(who="ada", want=0)  # gives it back
    page = open_label(open_page, served, "&order=like+these&class_name=star")
    expect(page.get_by_label("Like those that show")).to_have_value("star")
    expect_row(page, served, served.studio.dataset.row_of(first.image_id))


def test_a_long_list_with_odd_names(open_page: Callable[..., Page], serve_studio: Callable[..., Served]) -> None:
    served = serve_studio(class_names=ODD, num_images=6, known_proportion=0.2)
    served.studio.labelling.describe("🦓 zebra", "Striped <i>all over</i>.")
    page = open_label(open_page, served, size=(1024, 768))
    assert page.locator(".rows .name").all_inner_texts() == list(ODD)
    page.locator(".rows .row", has_text="zebra").hover()
    expect(page.locator(".about p")).to_have_text("Striped <i>all over</i>.")
    page.get_by_text("What a class means, and which classes come first").click()
    page.get_by_label("First in my list").click()
    page.get_by_role("option", name="class 29").click()
    expect(page.locator(".rows .name").first).to_have_text("class 29")
    page.reload()
    expect(page.locator(".rows .name").first).to_have_text("class 29")
    page.keyboard.press("1")
    expect(page.locator(".rows .cursor .name")).to_have_text("class 29")
    keep_picture(page, "label-long-list")
