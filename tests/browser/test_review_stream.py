"""The stream in a real Chromium: keys, undo, unsent answers over a reload while the server is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from logicmix_studio.store import Ledger, load_table, locate_workspace, read_journal
from logicmix_studio.studio import Studio
from tests.browser.checks import take_requests, wait_until_quiet
from tests.browser.conftest import PATIENCE_MS, Served
from tests.review_server import ServerProcess
from tests.workspaces import add_run, make_workspace

pytestmark = pytest.mark.browser

CARD = "#review-stream .stream[data-state=card]"
SAVED = "All answers saved"


@pytest.fixture
def reviewed(serve_studio: Callable[..., Served]) -> Served:
    """Serve 200 images of 6 classes with two runs."""
    return serve_studio(num_images=200, runs=2, known_proportion=0.5)


@pytest.fixture
def stream(open_page: Callable[..., Page], reviewed: Served) -> Callable[..., Page]:
    """Open the stream with filters."""

    def open_it(until: str = CARD, **filters: str) -> Page:
        query = "&".join(f"{name}={value}" for name, value in {"tab": "review", **filters}.items())
        page = open_page(reviewed.url, f"?{query}", until=until)
        if filters:
            page.wait_for_function("() => location.search.includes('screen=stream')")
            expect(page.locator(until)).to_be_visible()
        return page

    return open_it


def cell_on_screen(page: Page) -> str:
    cell = page.locator(CARD).get_attribute("data-cell")
    assert cell
    return cell


def wait_for_cell(page: Page, cell: str) -> None:
    expect(page.locator("#review-stream .stream")).to_have_attribute("data-cell", cell)


def wait_saved(page: Page) -> None:
    expect(page.locator("#review-stream .saved")).to_have_text(SAVED)


def answers(ledger: Ledger) -> list[tuple[str, str, int]]:
    """Return the cell, the answer and the new state of every line."""
    cells = [line.cells[0] for line in ledger.lines]
    return [(f"{cell.image_id} {cell.class_name}", cell.answer, cell.after.state) for cell in cells]


def undecided(studio: Studio) -> bool:
    return bool((studio.states == studio.table.states).all())


def test_keys__answer_and_show_the_next_card_at_once(stream: Callable[..., Page], reviewed: Served) -> None:
    page = stream()
    shown = []
    for key in "ynus":
        shown.append(cell_on_screen(page))
        page.keyboard.press(key)
        assert cell_on_screen(page) not in shown
    wait_saved(page)
    lines = reviewed.studio.ledger.lines
    assert [line[0] for line in answers(reviewed.studio.ledger)] == shown
    assert [line[2] for line in answers(reviewed.studio.ledger)] == [1, -1, 0, 0]
    assert [line[1] for line in answers(reviewed.studio.ledger)][2:] == ["unsure", "skip"]
    assert all(line.extra["ms"] >= 0 and line.origin == "stream" for line in lines)
    expect(page.locator("#review-stream .answered")).to_have_text("3")


def test_keys__accept_and_reject_follow_the_pseudo_label(stream: Callable[..., Page], reviewed: Served) -> None:
    page = stream(scope="proposals", sign="-1", order="confident")
    expect(page.locator("#review-stream .lm-chip.pseudo")).to_have_text("The model thinks not")
    page.keyboard.press("a")
    page.keyboard.press("r")
    wait_saved(page)
    assert [line[1:] for line in answers(reviewed.studio.ledger)] == [("accept", -1), ("reject", 1)]


def test_keys__are_ignored_with_a_modifier_and_while_held_and_buttons_do_the_same(
    stream: Callable[..., Page], reviewed: Served
) -> None:
    page = stream()
    cell = cell_on_screen(page)
    page.keyboard.press("Control+y")
    assert cell_on_screen(page) == cell
    for _ in range(5):
        page.keyboard.down("y")
    page.keyboard.up("y")
    page.get_by_role("button", name="No, there is no").click()
    page.get_by_role("button", name="Skip").click()
    wait_saved(page)
    assert [line[1] for line in answers(reviewed.studio.ledger)][2] == "skip"
    assert [line[2] for line in answers(reviewed.studio.ledger)] == [1, -1, 0]


def test_undo_and_redo__bring_the_very_card_back_and_take_it_away(
    stream: Callable[..., Page], reviewed: Served
) -> None:
    page = stream()
    first = cell_on_screen(page)
    page.keyboard.press("y")
    second = cell_on_screen(page)
    page.keyboard.press("n")
    third = cell_on_screen(page)
    page.keyboard.press("z")
    assert cell_on_screen(page) == second
    page.keyboard.press("z")
    assert cell_on_screen(page) == first
    wait_saved(page)
    assert undecided(reviewed.studio)
    for shown in (second, third):
        page.keyboard.press("x")
        assert cell_on_screen(page) == shown
    wait_saved(page)
    assert int((reviewed.studio.states != reviewed.studio.table.states).sum()) == 2


def test_reload__keeps_card_order_and_what_can_be_undone(stream: Callable[..., Page], reviewed: Served) -> None:
    page = stream(scope="proposals", order="confident")
    first = cell_on_screen(page)
    page.keyboard.press("y")
    second = cell_on_screen(page)
    wait_saved(page)
    for key, shown in (("", second), ("z", first), ("x", second), ("z", first)):
        page.reload()
        page.locator(CARD).wait_for()
        if key:
            page.keyboard.press(key)
        wait_for_cell(page, shown)
        wait_saved(page)
    assert undecided(reviewed.studio)
    page.keyboard.press("n")
    wait_for_cell(page, second)
    wait_saved(page)
    assert answers(reviewed.studio.ledger)[-1][0] == first


def test_suggestion__hidden_shows_neither_claim_nor_score(stream: Callable[..., Page]) -> None:
    page = stream(scope="proposals", order="confident")
    side = page.locator("#review-stream .side")
    expect(side.locator(".lm-chip.pseudo")).to_be_visible()
    expect(side.locator(".score")).to_have_count(0)
    page.keyboard.press("p")
    expect(side.locator(".score")).to_be_visible()
    page.keyboard.press("p")
    expect(side.locator(".lm-chip.pseudo")).to_have_count(0)
    expect(side.locator(".score")).to_have_count(0)
    assert "accepts" not in side.inner_text()
    page.reload()
    expect(side.locator(".claim")).to_have_text("Pseudo-label hidden")


def test_filters__are_the_views_own_and_stand_in_the_address(stream: Callable[..., Page]) -> None:
    page = stream()
    question = page.locator("#review-stream .question")
    wait_until_quiet(page)
    page.locator("#review-stream-tab").get_by_label("Class").fill("sta")
    page.get_by_role("option", name="star").click()
    expect(question).to_have_text("Is there a star?")
    page.wait_for_function("() => location.search.includes('class_name=star')")
    page.reload()
    wait_until_quiet(page)
    expect(question).to_have_text("Is there a star?")
    page.keyboard.press("c")
    expect(question).to_have_text("Is there a cross?")
    page.get_by_role("tab", name="Conflicts").click()
    page.wait_for_function("() => location.search === '?tab=review&screen=conflicts'")
    page.get_by_role("tab", name="Stream").click()
    page.wait_for_function("() => location.search.includes('class_name=cross')")
    expect(question).to_have_text("Is there a cross?")


def test_empty__says_what_comes_next_and_leads_there(stream: Callable[..., Page]) -> None:
    page = stream(until="#review-stream .empty h2", scope="unsure")
    expect(page.locator("#review-stream .empty h2")).to_have_text("Nothing waits with these filters")
    page.get_by_role("button", name="Clear the filters").click()
    page.locator(CARD).wait_for()
    assert "unsure" not in page.url


def test_refill__does_not_ask_again_what_was_answered_while_it_was_read(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    served = serve_studio(num_images=12, class_names=("circle",), known_proportion=0.5)
    page = open_page(served.url, "?tab=review&scope=open", until=CARD)
    held: dict[str, Route] = {}
    read: list[APIResponse] = []

    def hold(route: Route) -> None:
        name = route.request.post_data_json["fn_name"]
        if name == "next_cards" and not read:  # the queue is read before the answer is written, and arrives after it
            read.append(route.fetch())
        if name in held or name not in ("answer", "next_cards"):
            route.continue_()
        else:
            held[name] = route

    take_requests(page, "**/component_server/", hold)
    left = int(page.locator("#review-stream .left").inner_text())
    seen = [cell_on_screen(page)]
    page.keyboard.press("y")
    while len(held) < 2:
        page.evaluate("() => new Promise(requestAnimationFrame)")  # lets the handler run
    held["answer"].continue_()
    wait_saved(page)
    held["next_cards"].fulfill(response=read[0])
    for _ in range(left - 1):
        seen.append(cell_on_screen(page))
        page.keyboard.press("y")
    expect(page.locator("#review-stream .stream")).to_have_attribute("data-state", "empty")
    assert len(set(seen)) == len(seen) == left


def test_refill__does_not_show_what_was_undone_and_answered_while_it_was_read(
    stream: Callable[..., Page], reviewed: Served
) -> None:
    page = stream(scope="proposals", order="confident")
    first = cell_on_screen(page)
    name = first.split(" ", 1)[1]
    page.keyboard.press("y")
    wait_saved(page)
    wait_until_quiet(page)
    held: dict[str, list[Route]] = {"next_cards": [], "answer": []}

    def hold(route: Route) -> None:
        name = route.request.post_data_json["fn_name"]
        if name in held:
            held[name].append(route)
        else:
            route.continue_()

    def wait_until_held(name: str) -> None:
        while not held[name]:
            page.evaluate("() => new Promise(requestAnimationFrame)")  # lets the handler run

    take_requests(page, "**/component_server/", hold)
    page.locator("#review-stream-tab").get_by_label("Class").fill(name[:4])
    page.get_by_role("option", name=name).click()
    wait_until_held("next_cards")
    page.locator("body").press("z")
    wait_for_cell(page, first)
    wait_saved(page)
    read = [(route, route.fetch()) for route in held["next_cards"]]
    page.keyboard.press("n")
    wait_until_held("answer")
    for route, cards in read:
        route.fulfill(response=cards)
    shown = cell_on_screen(page)
    assert shown != first
    assert shown.endswith(name)
    held["answer"][0].continue_()
    wait_saved(page)
    assert answers(reviewed.studio.ledger)[-1][0] == first


def test_run__new_scores_keep_the_card_and_renew_the_rest(stream: Callable[..., Page], reviewed: Served) -> None:
    page = stream(scope="proposals")
    cell = cell_on_screen(page)
    table = reviewed.studio.table
    truth = np.where(table.states == 0, 1, table.states).astype(np.int8)
    left = page.locator("#review-stream .left")
    before = left.inner_text()
    add_run(reviewed.studio.workspace, table, truth, run=3, noise=0.1)
    expect(left).not_to_have_text(before)
    assert cell_on_screen(page) == cell
    page.keyboard.press("y")
    page.keyboard.press("y")
    wait_saved(page)
    assert [line.run for line in reviewed.studio.ledger.lines] == [2, 3]


@pytest.mark.parametrize("size", [(780, 800), (700, 450)])
def test_small_windows__the_picture_covers_neither_question_nor_buttons(
    open_page: Callable[..., Page], reviewed: Served, size: tuple[int, int]
) -> None:
    page = open_page(reviewed.url, "?tab=review", size=size, until=CARD)
    stage = page.locator("#review-stream .stage").bounding_box()
    assert stage is not None
    for name in (".question", ".answer.yes", ".answer.no", "[data-action=undo]"):
        box = page.locator(f"#review-stream {name}").bounding_box()
        assert box is not None
        assert box["y"] >= stage["y"] + stage["height"]
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_names__made_of_html_are_shown_as_they_are(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    name = "<img src=x onerror=alert(1)> ${1} & 🦊"
    served = serve_studio("odd", num_images=12, class_names=(name, "plain"), runs=1)
    page = open_page(served.url, "?tab=review&scope=open&order=class", until=CARD)
    page.on("dialog", lambda dialog: pytest.fail("a class name was run as a script"))
    expect(page.locator("#review-stream .question")).to_have_text(f"Is there a {name}?")
    page.get_by_role("tab", name="Grid").click()
    expect(page.locator("#review-grid-question")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def test_outbox__keeps_answers_while_the_server_is_gone_and_over_a_reload(browser: Browser, tmp_path: Path) -> None:
    root = tmp_path / "shapes"
    make_workspace(root, num_images=60, runs=1)
    with ServerProcess(root) as server:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{server.url}?tab=review")
        page.locator(CARD).wait_for()
        shown = []
        for key in "yn":
            shown.append(cell_on_screen(page))
            page.keyboard.press(key)
        wait_saved(page)
        server.kill()
        for key in "nyn":
            shown.append(cell_on_screen(page))
            page.keyboard.press(key)
        expect(page.locator("#review-stream .saved")).to_have_text("3 answers unsent · retrying")
        page.goto(
            "about:blank"
        )  # a page that sees its server again reloads by itself, and would break off what comes now
        server.start()
        page.goto(f"{server.url}?tab=review")
        page.locator(CARD).wait_for()
        wait_saved(page)
        assert cell_on_screen(page) not in shown
        page.close()
    workspace = locate_workspace(root)
    ledger = Ledger(load_table(workspace.labels_file), read_journal(workspace.journal_file))
    assert [line[0] for line in answers(ledger)] == shown
    assert [line[2] for line in answers(ledger)] == [1, -1, -1, 1, -1]
