"""The plugin in the FiftyOne App itself, opened as people open it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from logicmix_studio.runs import Jobs
from logicmix_studio.store import read_journal
from tests.browser.checks import keep_picture
from tests.browser.conftest import PATIENCE_MS
from tests.launched import START_SECONDS, LaunchedStudio, wait_until
from tests.ports import reserved_port
from tests.workspaces import make_workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WRITES = re.compile(r"^Writes \d+ cells in \d+ images: .*\.$")


def test_the_app_shows_what_a_button_writes_and_a_run_in_progress(browser: Browser, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "shapes")
    with reserved_port() as place:
        port = place.getsockname()[1]
        command = ["fiftyone", str(workspace.root), "--no-browser", "--port", "0", "--app-port", str(port)]
        with LaunchedStudio(workspace.root, command, tmp_path / "log.txt") as studio:
            url = f"http://127.0.0.1:{port}/datasets/shapes"
            wait_until(lambda: f"App is open at {url}" in studio.printed(), START_SECONDS, "the App did not open")
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(PATIENCE_MS)
            page.route(re.compile(r"^https?://(?!127\.0\.0\.1:)"), lambda route: route.abort())  # the App's fonts
            page.goto(url)
            page.get_by_text("Dismiss").click()  # the App's own advertisement
            proposed = page.locator('[data-cy="tag-pseudo_positive"]')
            known = page.locator('[data-cy="tag-positive_labels"]')
            page.locator('[data-item-id="@logicmix/studio/accept_pseudo_labels"] span').click()
            said = page.get_by_text(WRITES)
            told = said.inner_text()
            count = int(told.split()[1])
            expect(proposed).to_have_count(count)
            assert known.count() < count
            expect(page.get_by_text("Required property")).to_have_count(0)
            page.get_by_role("radio", name="negative").click()
            expect(page.get_by_text(told)).to_have_count(0)
            page.get_by_role("radio", name="positive").click()  # the number that is expected goes with the sentence
            expect(page.get_by_text(told)).to_be_visible()
            keep_picture(page, "fiftyone-form")
            page.get_by_role("button", name="Execute").click()
            expect(page.get_by_text(told.replace("Writes", "Wrote")).first).to_be_visible()
            line = list(read_journal(workspace.journal_file))[-1]
            assert (len(line.cells), line.origin) == (count, "fiftyone")
            assert {(cell.answer, cell.after.state) for cell in line.cells} == {("accept", 1)}

            page.get_by_role("button", name="Close").first.click()
            expect(proposed).to_have_count(0)  # without a reload
            expect(known.nth(count - 1)).to_be_attached()
            keep_picture(page, "fiftyone-accepted")

            page.locator('[data-item-id="@logicmix/studio/reject_pseudo_labels"] span').click()
            page.get_by_role("radio", name="negative").click()  # no positive is left
            told = page.get_by_text(WRITES).inner_text()
            keep_picture(page, "fiftyone-reject")
            page.get_by_role("button", name="Execute").click()
            expect(page.get_by_text(told.replace("Writes", "Wrote")).first).to_be_visible()
            line = list(read_journal(workspace.journal_file))[-1]
            assert (len(line.cells), line.origin) == (int(told.split()[1]), "fiftyone")
            assert {(cell.answer, cell.after.state) for cell in line.cells} == {("reject", 1)}
            page.get_by_role("button", name="Close").first.click()
            expect(page.locator('[data-cy="tag-pseudo_negative"]')).to_have_count(0)

            page.keyboard.press("Backquote")
            page.get_by_placeholder(re.compile("Search")).last.fill("LogicMix: train")
            page.keyboard.press("Enter")
            page.get_by_role("button", name="Execute").click()
            page.get_by_role("button", name="Close").first.click()
            expect(page.get_by_text(re.compile("^run 2: "))).to_be_visible()
            keep_picture(page, "fiftyone-panel")
            jobs = Jobs(workspace.runs)
            jobs.cancel(2)
            jobs.wait(2, timeout_s=PATIENCE_MS / 1000)
            expect(page.get_by_role("cell", name="cancelled")).to_be_visible()  # it looks by itself
            expect(page.get_by_text(re.compile("^run 2: "))).to_have_count(0)
            page.close()
