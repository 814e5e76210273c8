"""Every tab on 100,000 images of 80 classes; how fast they are is measured elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import go_to_tab, keep_picture
from tests.browser.conftest import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SLOW_MS = 60_000


def test_a_hundred_thousand_images(serve_studio: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    names = [f"class {i:02d}" for i in range(80)]
    served = serve_studio("large", num_images=100_000, class_names=names, draw_every=1000, side=32)
    page = open_page(served.url)
    expect(page.locator("#tab-overview")).to_contain_text("100,000 images × 80 classes", timeout=SLOW_MS)
    keep_picture(page, "large-overview")
    go_to_tab(page, "browse")
    expect(page.locator("#tab-browse .tile img").first).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#tab-browse .count").first).to_contain_text("of 100,000 images")
    keep_picture(page, "large-browse")
    go_to_tab(page, "review")
    expect(page.locator("#tab-review .question").first).to_contain_text("Is there a class", timeout=SLOW_MS)
    go_to_tab(page, "label")
    expect(page.locator("#tab-label img").first).to_be_visible(timeout=SLOW_MS)
