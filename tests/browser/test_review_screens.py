"""Grid, conflicts and history in a real Chromium, in light and dark."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import look_at, wait_until_quiet
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser

TILES = "#review-grid .tile"
CONFLICT = "#review-conflicts .stream[data-state=card]"


@pytest.fixture
def reviewed(serve_studio: Callable[..., Served]) -> Served:
    """Serve 200 images of 6 classes with two runs, which contradict some known cells."""
    return serve_studio(num_images=200, runs=2, known_proportion=0.5)


def open_grid(open_page: Callable[..., Page], served: Served, **filters: str) -> Page:
    query = "".join(f"&{name}={value}" for name, value in filters.items())
    page = open_page(served.url, f"?tab=review&screen=grid&size=12{query}", until=TILES)
    expect(page.locator(TILES)).to_have_count(12)
    return page


def marks(page: Page) -> list[str | None]:
    return [tile.get_attribute("data-mark") for tile in page.locator(TILES).all()]


def keys(page: Page) -> list[str | None]:
    return [tile.get_attribute("data-key") for tile in page.locator(TILES).all()]


def see_all(page: Page) -> None:
    """Scroll until every tile has been on screen."""
    for tile in page.locator(TILES).all():
        tile.evaluate("node => node.scrollIntoView({block: 'center'})")
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def choose_cells(page: Page, words: str) -> None:
    page.get_by_label("Which cells").locator("visible=true").click()
    page.get_by_role("option", name=words).click()


def test_grid__exceptions_are_marked_and_the_rest_confirmed(open_page: Callable[..., Page], reviewed: Served) -> None:
    page = open_grid(open_page, reviewed, class_name="circle", sign="1")
    confirm = page.locator("#review-grid .confirm")
    first = keys(page)
    page.locator(TILES).nth(1).click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("u")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    see_all(page)
    expected = ["", "wrong", "unsure", "wrong", *[""] * 8]
    assert marks(page) == expected
    page.reload()
    expect(page.locator(TILES)).to_have_count(12)
    assert keys(page) == first
    assert marks(page) == expected
    see_all(page)
    expect(confirm).to_contain_text("Confirm the rest: 9")
    page.keyboard.press("k")
    expect(page.locator(f'{TILES}[data-key="{first[0]}"]')).to_have_count(0)
    (line,) = reviewed.studio.ledger.lines
    outcome = {"": ("accept", 1), "wrong": ("reject", -1), "unsure": ("unsure", 0)}
    assert [(cell.answer, cell.after.state) for cell in line.cells] == [outcome[mark] for mark in expected]
    assert line.origin == "grid"
    page.keyboard.press("z")
    expect(page.locator(f'{TILES}[data-key="{first[0]}"]')).to_have_count(1)
    assert keys(page) == first
    assert (reviewed.studio.states == reviewed.studio.table.states).all()


def test_grid__cannot_be_confirmed_before_every_tile_was_on_screen(
    open_page: Callable[..., Page], reviewed: Served
) -> None:
    page = open_page(
        reviewed.url,
        "?tab=review&screen=grid&size=24&sign=-1&class_name=circle",
        size=(700, 420),
        until=TILES,
    )
    confirm = page.locator("#review-grid .confirm")
    expect(page.locator("#review-grid .summary")).to_contain_text("not on screen yet")
    expect(confirm).to_be_disabled()
    page.keyboard.press("k")
    see_all(page)
    expect(confirm).to_be_enabled()
    assert reviewed.studio.ledger.lines == []


def test_grid__opens_on_the_largest_pile_and_moves_on_by_itself(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    served = serve_studio(num_images=40, known_proportion=0.4)
    largest = served.studio.review.piles()[0]
    page = open_page(served.url, "?tab=review&screen=grid&size=48", until=TILES)
    question = page.locator("#review-grid-question")
    expect(question).to_contain_text(largest.class_name)
    expect(page.locator(TILES)).to_have_count(largest.cells)
    first = keys(page)
    see_all(page)
    page.keyboard.press("k")
    expect(page.locator(f'{TILES}[data-key="{first[0]}"]')).to_have_count(0)
    now = {(pile.class_name, pile.sign): pile.cells for pile in served.studio.review.piles()}
    assert (largest.class_name, largest.sign) not in now
    following = (largest.class_name, -largest.sign)
    expect(page.locator(TILES)).to_have_count(now[following])
    page.wait_for_function(f"() => location.search.includes('sign={following[1]}')")


def test_cells_that_nobody_looks_at_are_left_to_others(open_page: Callable[..., Page], reviewed: Served) -> None:
    def num_leased() -> int:
        return len(reviewed.studio.review.leases.held_by_others("", reviewed.studio.review.clock()))

    page = open_grid(open_page, reviewed)
    assert num_leased() == 12
    page.get_by_role("tab", name="Stream").click()
    page.wait_for_selector("#review-stream .stream[data-state=card]")
    assert num_leased() >= 12 + 50
    with page.expect_request(lambda request: '"release"' in (request.post_data or "")) as asked:
        page.get_by_role("tab", name="History").click()
    asked.value.response()
    assert num_leased() == 12


def test_grid__where_positives_are_likely(open_page: Callable[..., Page], reviewed: Served) -> None:
    studio, filters = reviewed.studio, {"scope": "likeliest", "class_name": "circle"}
    while (likely := studio.review.likeliest_page(who="eve", holder="test", class_name="circle")).sign == 1:
        studio.review.confirm([card.cell for card in likely.batch.cards], sign=1, who="eve")
    studio.review.release("eve", "test")
    before = len(studio.ledger.lines)
    page = open_grid(open_page, reviewed, **filters)
    question, cls = page.locator("#review-grid-question"), page.get_by_label("Class").locator("visible=true")
    expect(question).to_contain_text("Which of these do have circle?")
    expect(question).to_contain_text("of 12 should have it")
    expect(cls).to_have_value("circle")
    first = keys(page)
    page.locator(TILES).nth(2).click()
    see_all(page)
    page.keyboard.press("k")
    expect(page.locator(f'{TILES}[data-key="{first[0]}"]')).to_have_count(0)
    (line,) = studio.ledger.lines[before:]
    assert [cell.after.state for cell in line.cells] == [-1, -1, 1, *[-1] * 9]
    assert {cell.class_name for cell in line.cells} == {"circle"}
    assert (line.origin, line.run, line.extra["sign"]) == ("grid", 2, -1)
    page.keyboard.press("z")
    expect(page.locator(f'{TILES}[data-key="{first[0]}"]')).to_have_count(1)
    assert keys(page) == first
    expect(question).to_contain_text("Which of these do have circle?")
    page.get_by_role("button", name="Leave undecided").click()
    expect(page.locator(f'{TILES}[data-key="{first[0]}"]')).to_have_count(0)
    page.get_by_role("button", name="Back").click()
    expect(page.locator(f'{TILES}[data-key="{first[0]}"]')).to_have_count(1)
    page.wait_for_function("() => location.search.includes('scope=likeliest')")


def test_grid__of_any_class_is_the_page_that_promises_most_and_ends_in_audits(
    open_page: Callable[..., Page], reviewed: Served
) -> None:
    review = reviewed.studio.review
    page = open_page(reviewed.url, "?tab=review&screen=grid&size=12", until=TILES)
    question = page.locator("#review-grid-question")
    choose_cells(page, "Likely positives")
    expect(question).to_contain_text("should have it")
    page.wait_for_function(
        "() => !location.search.includes('class_name') && location.search.includes('scope=likeliest')"
    )
    choose_cells(page, "Pseudo-labels")
    expect(question).to_contain_text("pseudo-labels wait")
    while (likely := review.likeliest_page(who="eve", holder="test", want=48)).batch.cards:
        review.confirm([card.cell for card in likely.batch.cards], sign=-1, who="eve")
    choose_cells(page, "Likely positives")
    expect(question).to_contain_text("Nothing more is likely here")
    page.get_by_role("button", name="Run an audit").click()
    expect(page.locator("#review-audits-tab-button")).to_have_attribute("aria-selected", "true")


def test_grid__says_when_no_pile_is_left(open_page: Callable[..., Page], serve_studio: Callable[..., Served]) -> None:
    served = serve_studio(runs=0)
    page = open_page(served.url, "?tab=review&screen=grid", until="#review-grid-question h2")
    expect(page.locator("#review-grid-question h2")).to_have_text("No pseudo-labels yet")
    page.get_by_role("button", name="Go to training").click()
    expect(page.locator("#tab-train")).to_be_visible()


def test_conflicts__dismiss_and_change(open_page: Callable[..., Page], reviewed: Served) -> None:
    page = open_page(reviewed.url, "?tab=review&screen=conflicts", until=CONFLICT)
    side = page.locator("#review-conflicts .side")
    expect(side.locator(".claim")).to_contain_text("from the import")
    expect(side.locator(".claim")).to_contain_text("Run 2")
    before = page.locator(CONFLICT).get_attribute("data-cell")
    page.keyboard.press("r")
    page.keyboard.press("a")
    page.keyboard.press("u")
    expect(side.locator(".saved")).to_have_text("All answers saved")
    dismissed, changed, unsure = reviewed.studio.ledger.lines
    assert {line.origin for line in reviewed.studio.ledger.lines} == {"conflicts"}
    assert dismissed.cells[0].before.state == dismissed.cells[0].after.state != 0
    assert changed.cells[0].before.state == -changed.cells[0].after.state != 0
    assert unsure.cells[0].answer == "unsure"
    page.reload()
    page.locator(CONFLICT).wait_for()
    assert page.locator(CONFLICT).get_attribute("data-cell") != before


def test_history__cells_of_a_line_and_revert(open_page: Callable[..., Page], reviewed: Served) -> None:
    batch = reviewed.studio.review.next_page(who="ada", holder="test", want=5).batch
    cells = [card.cell for card in batch.cards]
    reviewed.studio.review.confirm(cells, sign=batch.cards[0].claim, who="ada")
    page = open_page(reviewed.url, "?tab=review&screen=history", until="#review-history")
    what = page.locator("#review-history [data-testid='cell-0-4']")
    expect(what).to_contain_text("5 cells of")
    what.click()
    expect(page.locator("#review-history-cells")).to_contain_text(batch.cards[0].path)
    page.get_by_role("button", name="Revert line 1").click()
    expect(what).to_contain_text("Undone: line 1")
    assert (reviewed.studio.states == reviewed.studio.table.states).all()


IS_DRAWN = {
    "stream": "#review-stream .stream[data-state=card]",
    "grid": "#review-grid .confirm:enabled",
    "conflicts": CONFLICT,
    "history": "#review-history",
}
"""What a view shows last."""


def test_views__fit_into_a_small_window_and_can_be_read_by_all(
    open_page: Callable[..., Page], reviewed: Served
) -> None:
    for screen, last in IS_DRAWN.items():
        query = f"?tab=review&screen={screen}&size=12"
        page = open_page(reviewed.url, query, size=(1024, 900), until=last)
        wait_until_quiet(page)
        look_at(page, f"review-{screen}")
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{screen} is wider than the window"
