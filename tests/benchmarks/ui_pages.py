"""How fast Overview and Browse are on 100,000 images of 80 classes, in a real Chromium.

Run: python -m tests.benchmarks.ui_pages [--images 100000] [--classes 80]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from logicmix_studio.store import locate_workspace, server_of
from tests.browser.conftest import ARGUMENTS, HOW_TO_GET_ONE, find_chromium
from tests.workspaces import make_workspace

REPEATS = 20
START_S = 120.0
SERVE = """import sys
from logicmix_studio.studio import Studio
from logicmix_studio.ui import serve
serve(Studio.open(sys.argv[1]))"""
FILTERS = (
    "class=class%2000&state=pseudo&sort=score-high",
    "class=class%2007&state=unknown&sort=uncertain",
    "state=pseudo&sort=score-low",
    "split=test&from=0.4&to=0.6",
    "path=part1&state=negative",
)


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, float]]:
    """Serve a data set in a process of its own; gives its address and the seconds until it said so."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(folder)], env=os.environ)
    workspace = locate_workspace(folder)
    try:
        while time.perf_counter() - start < START_S:
            info = server_of(workspace)
            if info is not None and info.url and info.pid == process.pid:
                yield info.url, time.perf_counter() - start
                return
            time.sleep(0.01)
        raise TimeoutError("the server did not start")
    finally:
        process.terminate()
        process.wait()


def timed(action: Callable[[], object], repeats: int = 1) -> list[float]:
    """Return how many milliseconds an action took, each time."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        taken.append(1000 * (time.perf_counter() - start))
    return taken


def first_picture(page: Page) -> None:
    """Wait until the first tile's picture has been painted."""
    page.wait_for_function(
        "() => { const grid = document.querySelector('.lm-br-grid'); const image = grid?.querySelector('img');"
        " return image?.complete && image.naturalWidth && !grid.hasAttribute('aria-busy'); }"
    )


def measure(page: Page, url: str) -> dict[str, list[float]]:
    """Go through Overview and Browse and return the milliseconds of every step."""
    found: dict[str, list[float]] = {}

    def open_overview() -> None:
        page.goto(f"{url}#/overview")
        page.wait_for_selector(".lm-virtual-row")

    found["page opened to Overview's classes"] = timed(open_overview)

    def to_browse() -> None:
        page.evaluate("location.hash = '#/browse'")
        first_picture(page)

    found["first grid"] = timed(to_browse)
    found["filter changed to its first picture"] = []
    for query in FILTERS:

        def change(query: str = query) -> None:
            page.wait_for_function("() => !document.querySelector('.lm-br-grid').hasAttribute('aria-busy')")
            page.evaluate("hash => { location.hash = hash; }", f"#/browse?{query}")
            page.wait_for_function("() => document.querySelector('.lm-br-grid').hasAttribute('aria-busy')")
            first_picture(page)

        found["filter changed to its first picture"] += timed(change)
    page.evaluate("location.hash = '#/browse'")
    first_picture(page)

    def open_image() -> None:
        page.locator(".lm-br-tile").first.click()
        page.wait_for_selector(".lm-bi-active")

    def close_image() -> None:
        page.keyboard.press("Escape")
        page.wait_for_selector(".lm-bi", state="detached")

    found["image opened to its cells"] = []
    for _ in range(REPEATS):
        found["image opened to its cells"] += timed(open_image)
        close_image()
    found["tab switched"] = []
    for _ in range(REPEATS):
        for name in ("overview", "browse"):

            def switch(name: str = name) -> None:
                page.evaluate(
                    "name => document.querySelector(`[role=tab][data-tab-id=${name}]`).focus()", name
                )
                page.click(f"[role=tab][data-tab-id={name}]")
                page.wait_for_selector(f"#tab-{name} .lm-tab-body", state="visible")

            found["tab switched"] += timed(switch)
    return found


def main() -> None:
    """Make the data set, measure twice (the second start is the one that counts), print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--pictures", type=Path, help="keep screenshots here")
    given = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        sys.exit(HOW_TO_GET_ONE)
    folder = Path(tempfile.mkdtemp()) / "large"
    names = [f"class {i:02d}" for i in range(given.classes)]
    try:
        make_workspace(
            folder, num_images=given.images, class_names=names, draw_every=500, known_proportion=0.1
        )
        result: dict[str, object] = {"images": given.images, "classes": given.classes}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            for launch in ("first launch", "second launch"):
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                with served(folder) as (url, ready):
                    start = time.perf_counter()
                    steps = measure(page, url)
                    first = ready + steps["page opened to Overview's classes"][0] / 1000
                    result[launch] = {
                        "launch to first card, s": round(first, 2),
                        "all steps, s": round(time.perf_counter() - start, 2),
                        **{
                            f"{step}, ms": {
                                "p50": round(float(np.median(values)), 1),
                                "p95": round(float(np.quantile(values, 0.95)), 1),
                                "n": len(values),
                            }
                            for step, values in steps.items()
                        },
                    }
                    if given.pictures:
                        given.pictures.mkdir(parents=True, exist_ok=True)
                        page.screenshot(path=given.pictures / f"large-{launch.split()[0]}.png")
                page.close()
            browser.close()
        print(json.dumps(result, indent=2))
    finally:
        shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
