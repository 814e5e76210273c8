"""The stream in a real Chromium: keys, undo, unsent answers over a reload while the server is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from logicmix_studio.store import Ledger, load_table, locate_workspace, read_journal
from tests.review_server import ServerProcess
from tests.workspaces import add_run, make_workspace

pytestmark = pytest.mark.browser
pytest_plugins = ["tests.browser.review_fixtures"]

SAVED = "All answers saved"


def ledger_of(review_server: ServerProcess) -> Ledger:
    """Read the journal as it is on disk."""
    workspace = locate_workspace(review_server.root)
    return Ledger(load_table(workspace.labels_file), read_journal(workspace.journal_file))


def cell_on_screen(page: Page) -> str:
    screen = page.locator("section.lm-screen-stream[data-cell]")
    screen.wait_for()
    cell = screen.get_attribute("data-cell")
    assert cell
    return cell


def pill(page: Page) -> str:
    return page.locator(".lm-outbox").inner_text()


def wait_saved(page: Page) -> None:
    expect(page.locator(".lm-outbox")).to_have_text(SAVED)


def test_keys__answer_and_show_the_next_card_at_once(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("stream")
    answered = []
    for key in ("y", "n", "u", "s"):
        answered.append(cell_on_screen(page))
        page.keyboard.press(key)
        assert cell_on_screen(page) not in answered
    wait_saved(page)
    ledger = ledger_of(review_server)
    got = {f"{line.cells[0].image_id} {line.cells[0].class_name}": line for line in ledger.lines}
    assert list(got) == answered
    assert [got[cell].cells[0].after.state for cell in answered] == [1, -1, 0, 0]
    assert [got[cell].cells[0].answer in ("unsure", "skip") for cell in answered] == [
        False,
        False,
        True,
        True,
    ]
    assert all(line.extra["ms"] >= 0 for line in ledger.lines)


def test_keys__accept_and_reject_follow_the_pseudo_label(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("stream", scope="proposals", sign="-1", order="confident")
    cell_on_screen(page)
    page.keyboard.press("a")
    page.keyboard.press("r")
    wait_saved(page)
    first, second = ledger_of(review_server).lines
    assert (first.cells[0].answer, first.cells[0].after.state) == ("accept", -1)
    assert (second.cells[0].answer, second.cells[0].after.state) == ("reject", 1)


def test_keys__are_ignored_with_a_modifier_and_while_held(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("stream")
    cell = cell_on_screen(page)
    page.keyboard.press("Control+y")
    assert cell_on_screen(page) == cell
    page.keyboard.down("y")
    for _ in range(5):
        page.keyboard.down("y")
    page.keyboard.up("y")
    wait_saved(page)
    assert len(ledger_of(review_server).lines) == 1


def test_filter__an_earlier_run_is_reviewed_by_its_own_scores(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("stream", order="confident")
    first = cell_on_screen(page)
    page.locator("select[name=run]").select_option("1")
    expect(page.locator("section.lm-screen-stream")).not_to_have_attribute("data-cell", first)
    cell_on_screen(page)
    page.keyboard.press("y")
    wait_saved(page)
    assert [line.run for line in ledger_of(review_server).lines] == [1]


def test_buttons__do_what_the_keys_do(review_page: Callable[..., Page], review_server: ServerProcess) -> None:
    page = review_page("stream")
    cell = cell_on_screen(page)
    page.get_by_role("button", name="Yes, there is").click()
    page.get_by_role("button", name="Skip").click()
    wait_saved(page)
    lines = ledger_of(review_server).lines
    assert f"{lines[0].cells[0].image_id} {lines[0].cells[0].class_name}" == cell
    assert [line.cells[0].answer for line in lines][1] == "skip"


def test_undo__brings_the_card_and_the_label_back(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("stream")
    first = cell_on_screen(page)
    page.keyboard.press("y")
    second = cell_on_screen(page)
    page.keyboard.press("n")
    wait_saved(page)
    page.keyboard.press("z")
    assert cell_on_screen(page) == second
    page.keyboard.press("z")
    assert cell_on_screen(page) == first
    wait_saved(page)
    ledger = ledger_of(review_server)
    np.testing.assert_array_equal(ledger.states, ledger.table.states)
    page.keyboard.press("x")
    wait_saved(page)
    ledger = ledger_of(review_server)
    assert int((ledger.states != ledger.table.states).sum()) == 1


def test_undo__reaches_back_over_a_reload(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("stream")
    first = cell_on_screen(page)
    page.keyboard.press("y")
    wait_saved(page)
    page.reload()
    assert cell_on_screen(page) != first
    page.keyboard.press("z")
    wait_saved(page)
    expect(page.locator("section.lm-screen-stream")).to_have_attribute("data-cell", first)


def test_outbox__keeps_answers_while_the_server_is_gone_and_over_a_reload(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("stream")
    answered = []
    for key in "yn":
        answered.append(cell_on_screen(page))
        page.keyboard.press(key)
    wait_saved(page)
    review_server.kill()
    for key in "nyn":
        answered.append(cell_on_screen(page))
        page.keyboard.press(key)
    expect(page.locator(".lm-outbox")).to_contain_text("3 answers unsent")
    assert page.locator(".lm-outbox").get_attribute("data-kind") == "waiting"
    review_server.start()
    page.reload()
    wait_saved(page)
    lines = ledger_of(review_server).lines
    assert [f"{line.cells[0].image_id} {line.cells[0].class_name}" for line in lines] == answered
    assert [line.cells[0].after.state for line in lines] == [1, -1, -1, 1, -1]


def test_outbox__an_answer_taken_back_before_it_was_sent_leaves_no_trace(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("stream")
    cell_on_screen(page)
    review_server.kill()
    page.keyboard.press("y")
    second = cell_on_screen(page)
    page.keyboard.press("n")
    expect(page.locator(".lm-outbox")).to_contain_text("2 answers unsent")
    page.keyboard.press("z")
    assert cell_on_screen(page) == second
    review_server.start()
    wait_saved(page)
    assert [line.cells[0].after.state for line in ledger_of(review_server).lines] == [1]


def test_suggestion__hidden_shows_neither_claim_nor_score(review_page: Callable[..., Page]) -> None:
    page = review_page("stream", scope="proposals", order="confident")
    cell_on_screen(page)
    side = page.locator(".lm-screen-stream .lm-card-side")
    expect(side.locator(".lm-chip-pseudo")).to_be_visible()
    expect(side.locator(".lm-score")).to_have_count(0)
    page.keyboard.press("p")
    expect(side.locator(".lm-score")).to_be_visible()
    page.keyboard.press("p")
    expect(side.locator(".lm-chip-pseudo")).to_have_count(0)
    expect(side.locator(".lm-score")).to_have_count(0)
    assert "accepts" not in side.inner_text()


def test_filters__stand_in_the_address(review_page: Callable[..., Page]) -> None:
    page = review_page("stream")
    cell_on_screen(page)
    page.get_by_label("Class", exact=True).select_option("star")
    expect(page.locator(".lm-screen-stream .lm-question")).to_have_text("Is there a star?")
    assert "class=star" in page.url
    page.reload()
    expect(page.locator(".lm-screen-stream .lm-question")).to_have_text("Is there a star?")
    page.keyboard.press("c")
    expect(page.locator(".lm-screen-stream .lm-question")).to_have_text("Is there a cross?")


def test_empty__says_what_comes_next(review_page: Callable[..., Page]) -> None:
    page = review_page("stream", scope="unsure")
    expect(page.locator(".lm-review-empty-title")).to_have_text("Nothing waits with these filters")
    page.get_by_role("button", name="Clear the filters").click()
    cell_on_screen(page)


def test_zoom__enlarges_and_goes_back(review_page: Callable[..., Page]) -> None:
    page = review_page("stream")
    cell_on_screen(page)
    page.keyboard.press("e")
    expect(page.locator(".lm-screen-stream .lm-stage")).to_have_attribute("data-zoom", "on")
    page.keyboard.press("y")
    expect(page.locator(".lm-screen-stream .lm-stage")).not_to_have_attribute("data-zoom", "on")


def test_run__new_scores_keep_the_card_and_renew_the_rest(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("stream", scope="proposals")
    cell = cell_on_screen(page)
    workspace = locate_workspace(review_server.root)
    table = load_table(workspace.labels_file)
    truth = np.where(table.states == 0, 1, table.states).astype(np.int8)
    waiting = page.locator(".lm-screen-stream .lm-review-progress b").first
    before = waiting.inner_text()
    add_run(workspace, table, truth, run=3, noise=0.1)
    expect(waiting).not_to_have_text(before)
    assert cell_on_screen(page) == cell
    page.keyboard.press("y")
    page.keyboard.press("y")
    wait_saved(page)
    assert [line.run for line in ledger_of(review_server).lines] == [2, 3]


def test_settings__a_key_can_be_changed(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("stream")
    cell_on_screen(page)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Key for Yes, the class is there").click()
    page.keyboard.press("j")
    page.get_by_role("button", name="Save").click()
    yes = page.locator('.lm-screen-stream [data-action="yes"]')
    expect(yes.locator(".lm-hint").first).to_have_text("J")
    page.keyboard.press("y")
    page.keyboard.press("j")
    wait_saved(page)
    assert len(ledger_of(review_server).lines) == 1


def test_names__made_of_html_are_shown_as_they_are(browser: Browser, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)> & 🦊"
    root = tmp_path / "odd"
    make_workspace(root, num_images=12, class_names=(name, "plain"), runs=1)
    with ServerProcess(root) as odd:
        page = browser.new_page()
        page.on("dialog", lambda dialog: pytest.fail("a class name was run as a script"))
        for screen in ("stream", "grid", "what-if"):
            page.goto(f"{odd.url}/#/review?screen={screen}&scope=open")
            page.locator(f"section.lm-screen-{screen}").wait_for()
            page.wait_for_load_state("networkidle")
            assert page.locator(f"section.lm-screen-{screen} img[src=x]").count() == 0
        expect(page.locator("section.lm-screen-what-if")).to_contain_text(name)
        page.close()
