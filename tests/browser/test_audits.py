"""An audit in a real Chromium: what it takes, the blind questions, what they say, accepting many, and undo."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import assert_accessible, keep_picture
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser

ARRIVAL_MS = 120_000
"""A page that has just been opened still fills its tabs."""
CARD = "#review-audit .stream[data-state=card]"


def test_audit__from_the_first_question_to_a_bulk_and_back(
    open_page: Callable[..., Page], serve_studio: Callable[..., Served]
) -> None:
    served = serve_studio(
        num_images=600, class_names=("<i>circle</i>", "square"), known_proportion=0.2, side=16, draw_every=600
    )
    before = served.studio.ledger.states.copy()
    page = open_page(served.url, "?tab=review&screen=audits")
    plan = page.locator("#audit-plan")
    expect(plan.locator("b")).to_be_visible(timeout=ARRIVAL_MS)
    expect(plan).to_contain_text("59 answers, if all are right (93 with one wrong), will unlock")
    expect(page.locator("#audit-classes")).to_contain_text("<i>circle</i> absent")
    assert_accessible(page)
    keep_picture(page, "audits")

    page.get_by_role("button", name="Start an audit").click()
    card = page.locator(CARD)
    expect(card).to_contain_text("Blind: what the model says is not shown")
    keep_picture(page, "audit")
    first = card.get_attribute("data-cell")
    page.keyboard.press("y")
    expect(page.locator("#review-audit .stream")).not_to_have_attribute("data-cell", first or "")
    page.keyboard.press("z")
    expect(page.locator("#review-audit .stream")).to_have_attribute("data-cell", first or "")
    for left in range(58, -1, -1):
        page.keyboard.press("n")
        expect(page.locator("#review-audit .answered")).to_have_text(str(59 - left))
    expect(page.locator("#review-audit .saved")).to_have_text("All answers saved")

    page.get_by_role("button", name="See what it says").click()
    expect(page.locator("#audit-result")).to_contain_text("59 of 59 “absent” claims were right")
    expect(plan).to_contain_text("95% is shown: you may accept all")
    page.locator("#audit-accept").click()
    expect(page.locator("#audit-words")).to_contain_text("one undo takes it back")
    page.get_by_role("button", name="Accept", exact=False).last.click()
    expect(plan).to_contain_text("No absent claims above 0.95 are left")
    assert int((served.studio.ledger.states != before).sum()) > 300
    page.get_by_role("button", name="Undo: ").click()
    expect(plan).to_contain_text("95% is shown")
    assert int((served.studio.ledger.states != before).sum()) == 59
    np.testing.assert_array_equal(served.studio.ledger.states[before != 0], before[before != 0])
