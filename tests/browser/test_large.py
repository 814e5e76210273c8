"""Overview and Browse on 100,000 images of 80 classes; how fast they are is measured elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import keep_picture
from tests.browser.conftest import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_hundred_thousand_images(serve_studio: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    served = serve_studio(
        "large",
        num_images=100_000,
        class_names=[f"class {i:02d}" for i in range(80)],
        draw_every=1000,
        side=32,
    )
    page = open_page(served.url, "#/overview")
    expect(page.locator(".lm-ov-headline")).to_contain_text("100,000 images × 80 classes", timeout=30_000)
    expect(page.locator(".lm-ov-square")).to_have_count(400)
    keep_picture(page, "large-overview")
    page.click("[data-tab-id=browse]")
    expect(page.locator(".lm-br-tile img").first).to_be_visible()
    expect(page.locator(".lm-br-count")).to_contain_text("100,000 images")
    page.locator(".lm-br-grid").evaluate("grid => { grid.scrollTop = grid.scrollHeight / 2; }")
    expect(page.get_by_text("image-50001.jpg")).to_be_visible()
    page.locator(".lm-br-grid").evaluate("grid => { grid.scrollTop = grid.scrollHeight; }")
    expect(page.get_by_text("image-99999.jpg")).to_be_visible()
    assert page.locator(".lm-br-tile").count() < 100
    page.evaluate("location.hash = '#/browse?class=class%2007&state=pseudo&sort=score-high&path=part1'")
    column = served.studio.class_names.index("class 07")
    in_part = [row for row, path in enumerate(served.studio.table.paths) if "part1" in path]
    wanted = int((served.studio.proposals_array()[in_part, column] != 0).sum())
    expect(page.locator(".lm-br-count b")).to_have_text(f"{wanted:,}")
    keep_picture(page, "large-browse")
