"""What browser tests look at again and again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

GRAVE = ("serious", "critical")
Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
OF_COLOURS = ("color-contrast", "link-in-text-block")
"""What can differ between light and dark."""
TABS = ("overview", "browse", "blend", "review", "label", "train")


def assert_accessible(page: Page, *rules: str) -> None:
    """Fail on any serious or critical finding of axe-core; with rules on one of theirs."""
    options = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else None
    results: dict[str, Any] = Axe().run(page, options=options).response
    grave = [
        f"{found['id']} ({found['impact']}): {found['help']}\n  "
        + "\n  ".join(f"{node['target']} {node.get('failureSummary', '')[:240]}" for node in found["nodes"][:4])
        for found in results["violations"]
        if found["impact"] in GRAVE
    ]
    assert not grave, "\n".join(grave)


def look_at(page: Page, name: str) -> None:
    """Keep a picture in light and in dark; fail where somebody could not read what is there."""
    for scheme in SCHEMES:
        show_scheme(page, scheme)
        keep_picture(page, f"{name}-{scheme}")
        assert_accessible(page, *(() if scheme == "light" else OF_COLOURS))
    show_scheme(page, "light")


def show_scheme(page: Page, scheme: Scheme) -> None:
    """Show a page in light or dark, as the system and the button in the header do."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.evaluate(
        """async (dark) => {
          document.body.classList.toggle("dark", dark);
          await new Promise(requestAnimationFrame);  // colours that fade over are no colours to judge
          const fading = document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity);
          await Promise.allSettled(fading.map((one) => one.finished));
        }""",
        scheme == "dark",
    )


def go_to_tab(page: Page, name: str) -> None:
    """Press a tab and wait until it is the one that is looked at."""
    page.locator(f'[role=tab][data-tab-id="{name}"]').click()
    expect_tab(page, name)


def expect_tab(page: Page, name: str) -> None:
    """Wait until a tab is the one that is looked at."""
    expect(page.locator(f'[role=tab][data-tab-id="{name}"]')).to_have_attribute("aria-selected", "true")
    expect(page.locator(f"#tab-{name}")).to_be_visible()


def take_requests(page: Page, pattern: str, handler: Callable[[Route], None]) -> None:
    """Let a handler have an open page's requests, and return when one was seen to be taken."""
    page.route(pattern, handler)
    page.route("**/is-routed", lambda route: route.fulfill(body="yes"))
    page.wait_for_function("async () => (await fetch('/is-routed')).ok")


WATCH_EVENTS = """
(() => {
  const plain = window.fetch;
  let [under, last] = [0, 0];
  window.fetch = async (...asked) => {
    const counts = /run.predict|component_server|queue.join/.test(String(asked[0]?.url ?? asked[0]));
    under += counts;
    try {
      return await plain(...asked);
    } finally {
      under -= counts;
      if (counts) last = performance.now();
    }
  };
  window.lmIsQuiet = () => !under && performance.now() - last > 300; // by then what follows from an answer is asked
})()
"""
"""Counts the events that a page has under way; Gradio's own marks are hidden."""


def wait_until_quiet(page: Page) -> None:
    """Wait until no event is on its way and every picture that can be seen is there."""
    page.wait_for_function(
        """() => {
          const seen = node => node.checkVisibility() && node.getBoundingClientRect().bottom > 0
            && node.getBoundingClientRect().top < innerHeight;
          const waits = [...document.querySelectorAll('.generating, .pending, .eta-bar, [aria-busy=true]')].some(seen);
          const pictures = [...document.images].filter(seen).every(image => image.complete);
          return window.lmIsQuiet() && !waits && pictures;
        }"""
    )


def keep_picture(page: Page, name: str) -> None:
    """Write a screenshot into the folder that LOGICMIX_SCREENSHOTS names, if it names one."""
    folder = os.environ.get("LOGICMIX_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")
