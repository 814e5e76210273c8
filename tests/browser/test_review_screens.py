"""Grid, audit, bulk, conflicts, history and what if in a real Chromium, in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from logicmix_studio.store import Ledger, load_table, locate_workspace, read_journal
from tests.review_server import ServerProcess

pytestmark = pytest.mark.browser
pytest_plugins = ["tests.browser.review_fixtures"]


def ledger_of(server: ServerProcess) -> Ledger:
    """Read the journal as it is on disk."""
    workspace = locate_workspace(server.root)
    return Ledger(load_table(workspace.labels_file), read_journal(workspace.journal_file))


def wait_saved(page: Page) -> None:
    expect(page.locator(".lm-outbox")).to_have_text("All answers saved")


def test_grid__exceptions_are_marked_and_the_rest_confirmed(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("grid", size="12", sign="1", **{"class": "circle"})
    tiles = page.locator(".lm-tile")
    expect(tiles).to_have_count(12)
    assert {tile.get_attribute("data-mark") for tile in tiles.all()} == {""}
    cells = [tile.get_attribute("data-cell") for tile in tiles.all()]
    tiles.nth(1).click()
    tiles.nth(3).click()
    tiles.nth(3).click()
    page.mouse.move(5, 5)
    confirm = page.locator('.lm-grid-foot [data-action="confirm"]')
    expect(confirm).to_be_enabled()
    expect(confirm).to_contain_text("Confirm the rest: 10")
    confirm.click()
    wait_saved(page)
    (line,) = ledger_of(review_server).lines
    outcome = {f"{cell.image_id} {cell.class_name}": (cell.answer, cell.after.state) for cell in line.cells}
    expected = dict.fromkeys(cells, ("accept", 1)) | {cells[1]: ("reject", -1), cells[3]: ("unsure", 0)}
    assert outcome == expected
    page.keyboard.press("z")
    wait_saved(page)
    ledger = ledger_of(review_server)
    np.testing.assert_array_equal(ledger.states, ledger.table.states)
    assert [tile.get_attribute("data-cell") for tile in tiles.all()] == cells


def test_grid__cannot_be_confirmed_before_every_tile_was_on_screen(review_page: Callable[..., Page]) -> None:
    page = review_page("grid", size="48", sign="-1", **{"class": "circle"})
    page.set_viewport_size({"width": 700, "height": 420})
    page.reload()
    page.locator(".lm-tile").first.wait_for()
    confirm = page.locator('.lm-grid-foot [data-action="confirm"]')
    expect(confirm).to_be_disabled()
    expect(page.locator(".lm-grid-summary")).to_contain_text("not on screen yet")
    page.keyboard.press("k")
    expect(confirm).to_be_disabled()
    for tile in page.locator(".lm-tile").all():
        tile.scroll_into_view_if_needed()
        tile.evaluate("node => node.scrollIntoView({block: 'center'})")
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(confirm).to_be_enabled()


def test_grid__keys_move_and_mark_and_shift_marks_a_range(review_page: Callable[..., Page]) -> None:
    page = review_page("grid", size="12", sign="1", **{"class": "circle"})
    tiles = page.locator(".lm-tile")
    expect(tiles).to_have_count(12)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("n")
    expect(tiles.nth(5)).to_have_attribute("data-mark", "wrong")
    tiles.nth(7).click()
    tiles.nth(10).click(modifiers=["Shift"])
    marks = [tile.get_attribute("data-mark") for tile in tiles.all()]
    assert [place for place, mark in enumerate(marks) if mark == "wrong"] == [5, 7, 8, 9, 10]


def test_audit__from_the_start_to_a_bound(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("audit")
    page.get_by_label("Cells a band and sign").select_option("10")
    page.get_by_label("Confidence").select_option("0.98")
    page.get_by_role("button", name="Start an audit").click()
    run = page.locator(".lm-audit-run")
    run.locator(".lm-question em").wait_for()
    assert run.locator(".lm-chip-pseudo, .lm-score").count() == 0
    answers, result = run.locator(".lm-answers"), page.locator(".lm-audit-detail .lm-h")
    for _ in range(200):
        answers.or_(result).locator("visible=true").first.wait_for()
        if result.is_visible():
            break
        page.keyboard.press("y")
    expect(result).to_contain_text("answered")
    expect(page.locator(".lm-audit-detail")).to_contain_text("Clopper")
    expect(page.locator(".lm-audit-card-status")).to_have_text("complete")
    lines = ledger_of(review_server).lines
    assert {line.origin for line in lines} == {"audit"}
    assert all(line.extra["audit"] == 1 for line in lines)


def test_bulk__names_what_it_writes_and_needs_a_reason_without_an_audit(
    review_page: Callable[..., Page], review_server: ServerProcess
) -> None:
    page = review_page("audit")
    page.get_by_label("Accept circle present").check()
    accept = page.locator(".lm-thresholds-head .lm-button-primary")
    expect(accept).to_contain_text("cells")
    accept.click()
    dialog = page.locator("dialog")
    expect(dialog).to_contain_text("circle present")
    yes = dialog.locator(".lm-button-danger")
    expect(yes).to_be_disabled()
    dialog.locator("textarea").fill("seen them all in a sheet")
    yes.click()
    expect(dialog).to_have_count(0)
    (line,) = ledger_of(review_server).lines
    assert line.extra["override"] == "seen them all in a sheet"
    page.locator(".lm-tool").first.click()
    wait_saved(page)
    ledger = ledger_of(review_server)
    np.testing.assert_array_equal(ledger.states, ledger.table.states)


def test_thresholds__a_slider_shows_at_once_what_it_covers(review_page: Callable[..., Page]) -> None:
    page = review_page("audit")
    slider = page.get_by_label("Threshold of circle present")
    row = page.locator(".lm-thresholds-table tbody tr").first
    before = int(row.locator("td").last.inner_text())
    slider.focus()
    page.keyboard.press("Home")
    after = int(row.locator("td").last.inner_text())
    assert after > before


def test_calibration__is_one_click_away(review_page: Callable[..., Page]) -> None:
    page = review_page("audit")
    page.get_by_role("button", name="Calibration plot").click()
    expect(page.locator("dialog svg.lm-plot circle").first).to_be_visible()


def test_conflicts__keep_and_change(review_page: Callable[..., Page], review_server: ServerProcess) -> None:
    page = review_page("conflicts")
    screen = page.locator("section.lm-screen-conflicts[data-cell]")
    screen.wait_for()
    expect(page.locator(".lm-sides")).to_contain_text("From the import.")
    page.keyboard.press("k")
    page.keyboard.press("a")
    wait_saved(page)
    kept, changed = ledger_of(review_server).lines
    assert kept.cells[0].before.state == kept.cells[0].after.state != 0
    assert changed.cells[0].before.state == -changed.cells[0].after.state != 0


def test_history__revert_this(review_page: Callable[..., Page], review_server: ServerProcess) -> None:
    page = review_page("stream")
    page.locator("section.lm-screen-stream[data-cell]").wait_for()
    page.keyboard.press("y")
    wait_saved(page)
    page.get_by_role("button", name="History").click()
    row = page.locator(".lm-history-row[data-seq='1']")
    expect(row).to_contain_text("ada")
    row.get_by_role("button", name="Revert this").click()
    expect(row).to_have_attribute("data-undone", "true")
    ledger = ledger_of(review_server)
    np.testing.assert_array_equal(ledger.states, ledger.table.states)


def test_what_if__its_queues_open_in_the_stream(review_page: Callable[..., Page]) -> None:
    page = review_page("what-if")
    flipped = page.locator(".lm-whatif-queue").first
    count = int(flipped.locator("b").inner_text())
    assert count > 0
    flipped.click()
    expect(page.locator(".lm-screen-stream .lm-review-progress")).to_contain_text(f"{count} in this queue")


IS_DRAWN = {
    "stream": "section.lm-screen-stream[data-cell]",
    "grid": '.lm-grid-foot [data-action="confirm"]:enabled',
    "audit": ".lm-thresholds-table tbody tr",
    "conflicts": "section.lm-screen-conflicts[data-cell]",
    "history": ".lm-history-total",
    "what-if": ".lm-whatif-queue",
}
"""What a screen shows last: a page is judged when nothing changes on it any more."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screens__fit_into_a_small_window_and_can_be_read_by_all(
    browser: Browser, review_server: ServerProcess, tmp_path: Path, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": 1100, "height": 700}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    for screen, last in IS_DRAWN.items():
        page.goto(f"{review_server.url}/#/review?screen={screen}")
        page.locator(last).first.wait_for()
        page.screenshot(path=str(tmp_path / f"{screen}-{scheme}.png"))
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{screen} is wider than the window"
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"]
        assert [
            (screen, problem["id"], problem["nodes"][0]["html"], problem["nodes"][0]["failureSummary"])
            for problem in found
            if problem["impact"] in ("serious", "critical")
        ] == []
    context.close()
