"""How the studio feels in a real browser on a large data set: first grid, filters, blends, tabs, second launch.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_ui --images 100000 --classes 80
    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_ui --images 600 --classes 12 --times 3      a quick look

It makes a data set of generated photographs (repeated by hard links) with synthetic scores, launches the studio as
people do, mongod and Gradio's page included, waits until the FiftyOne data set stands, launches it a second time, and
times each action from the moment it is asked for to the frame in which all of it is painted. It prints a table, then
one JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

from tests.benchmarks.bench_review_browser import make_dataset
from tests.launched import LaunchedStudio, chromium, wait_until

LIMIT_MS = 120_000
REST_MS = 250
"""Between two measurements, so that what the first began has ended."""
LAUNCH_AIM_MS = 5000
GRID_AIM_MS = 1000
BLEND_AIM_MS = 300
TAB_AIM_MS = 200
BLEND_SIDE = 224
FIRST_SEED = 1000

SEEN = """
const shown = (box) => box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0;
const loaded = (selector) => {
  const seen = [...document.querySelectorAll(selector)].filter((image) => shown(image.getBoundingClientRect()));
  return seen.length > 0 && seen.every((image) => image.complete && image.naturalWidth > 0);
};
const there = (selector) => [...document.querySelectorAll(selector)].some((node) => node.offsetParent);
const waits = (selector) => there(`${selector} .lm-skeleton`) || there(`${selector} [aria-busy=true]`);
"""
"""What a page must offer to be called painted."""

READY = {
    "overview": "there('.lm-ov-summary .lm-number') && !waits('[data-lm-tab=overview]')",
    "browse": "loaded('.lm-br-grid img') && !waits('[data-lm-tab=browse]')",
    "blend": "loaded('.lm-blend-picture') && !there('.lm-blend-frame.is-loading')"
    " && (there('.lm-truth tbody tr') || there('.lm-truth-nothing'))",
    "review": "there('.lm-screen-stream[data-cell]') && there('.lm-stage[data-state=ready]')",
    "train": "there('.lm-runs .lm-run') && !waits('[data-lm-tab=train]')",
}
"""Of each tab: whether all of it is on screen."""

Row = dict[str, Any]


def timed(page: Page, act: str, ready: str, *, key: str = "null") -> float:
    """Do something in the page and return the milliseconds until the frame after it is ready.

    Args:
        page: The page.
        act: JavaScript statements that ask for it.
        ready: A JavaScript expression that is true once everything is drawn.
        key: An expression that must have another value than before the act, where ``ready`` may hold already.
    """
    took = page.evaluate(
        f"""async () => {{
          {SEEN}
          const frame = () => new Promise(requestAnimationFrame);
          const key = () => {key};
          const before = key();
          const isReady = () => (before === null || key() !== before) && ({ready});
          const start = performance.now();
          {act};
          await frame();
          while (!isReady()) {{
            if (performance.now() - start > {LIMIT_MS}) return null;
            await frame();
          }}
          await frame();
          return performance.now() - start;
        }}"""
    )
    if took is None:
        raise TimeoutError(f"not ready after {LIMIT_MS / 1000:.0f} s: {act}")
    page.wait_for_timeout(REST_MS)
    return float(took)


def go(tab: str, query: str = "") -> str:
    """Return the statement that follows a link inside the page."""
    return f"location.hash = {json.dumps(f'#/{tab}{query}')}"


@contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    """Open a page without anything cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(LIMIT_MS)
    yield context.new_page()
    context.close()


def open_tab(page: Page, url: str, tab: str, query: str = "") -> float:
    """Open the page on a tab and return the milliseconds until all of it is painted."""
    start = time.perf_counter()
    page.goto(f"{url}/#/{tab}{query}")
    page.wait_for_function(f"() => {{ {SEEN} return {READY[tab]}; }}")
    took = (time.perf_counter() - start) * 1000
    page.wait_for_timeout(REST_MS)
    return took


def measure_launch(root: Path, browser: Browser, first_seconds: float) -> tuple[LaunchedStudio, list[Row]]:
    """Launch twice; time the second until a card of Review is painted. The studio is left running."""
    with LaunchedStudio.launch(root) as first:
        is_written = lambda: first.pulse()["mirror"]["state"] == "ready"  # noqa: E731
        if first_seconds:
            wait_until(is_written, first_seconds, "the FiftyOne data set was not written in time")
    start = time.perf_counter()
    studio = LaunchedStudio.launch(root).start()
    served = (time.perf_counter() - start) * 1000
    with new_page(browser) as page:
        open_tab(page, studio.url, "review")
        card = (time.perf_counter() - start) * 1000 - REST_MS
    rows = [
        row("second launch to server ready", [served]),
        row("second launch to first card", [card], LAUNCH_AIM_MS),
    ]
    return studio, rows


def measure_first(browser: Browser, url: str, times: int) -> list[Row]:
    """Time what somebody sees first, each time in a browser that has cached nothing."""
    overview, grid, pages = [], [], []
    for _ in range(times):
        with new_page(browser) as page:
            overview.append(open_tab(page, url, "overview"))
            grid.append(timed(page, go("browse"), READY["browse"]))
        with new_page(browser) as page:
            pages.append(open_tab(page, url, "browse"))
    return [
        row("page open to Overview", overview),
        row("Browse: first grid", grid, GRID_AIM_MS),
        row("page open to first grid", pages, None),
    ]


def measure_browse(page: Page, studio: LaunchedStudio, times: int) -> list[Row]:
    """Time filters, orders, a jump in the grid, and one image."""
    names = studio.get("/api/session")["class_names"]
    queries = [
        query
        for name in names[:times]
        for query in (
            f"?class={name}",
            f"?class={name}&state=positive",
            f"?class={name}&state=pseudo&sort=uncertain",
            f"?class={name}&from=0.4&to=0.6&sort=score-high",
            f"?path={ord(name[-1]) % 10}",
        )
    ]
    open_tab(page, studio.url, "browse")
    page.evaluate("() => performance.setResourceTimingBufferSize(1_000_000)")
    answers = "performance.getEntriesByType('resource').filter((one) => /api.browse([?]|$)/.test(one.name)).length"
    ready = "!waits('[data-lm-tab=browse]') && (there('.lm-br-message') || loaded('.lm-br-grid img'))"
    filters = [timed(page, go("browse", query), ready, key=answers) for query in queries]
    timed(page, go("browse"), ready, key=answers)
    jumps = [timed(page, scroll(place / (times + 1)), READY["browse"]) for place in range(1, times + 1)]
    ids = page.evaluate(
        "async () => (await (await fetch('/api/browse?sort=random')).json()).items.map((one) => one.id)"
    )
    opened = "loaded('dialog.lm-bi .lm-bi-picture img') && there('dialog.lm-bi .lm-bi-row')"
    images = []
    for image in ids[:times]:
        images.append(timed(page, go("browse", f"?image={image}"), opened))
        timed(page, go("browse"), "!document.querySelector('dialog.lm-bi')")
    return [
        row("Browse: filter or order changed", filters),
        row("Browse: jump to another place", jumps),
        row("Browse: one image opened", images),
    ]


def scroll(share: float) -> str:
    """Return the statement that scrolls the grid to a share of its height."""
    return (
        "const grid = document.querySelector('.lm-br-grid');"
        f"grid.scrollTop = grid.scrollHeight * {share}; grid.dispatchEvent(new Event('scroll'))"
    )


def measure_blends(page: Page, url: str, times: int) -> list[Row]:
    """Time a blend on screen, and the drawing itself at the size of training."""
    open_tab(page, url, "blend")
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'n', bubbles: true}))"
    source = "document.querySelector('.lm-blend-picture')?.getAttribute('src')"
    shown = [timed(page, press, READY["blend"], key=source) for _ in range(times)]
    drawn = [
        timed(
            page,
            f"""const blend = await (await fetch('/api/blend/draw?blends_only=1&seed={FIRST_SEED + number}')).json();
            await (await fetch(`/api/blend/image?ids=${{blend.ids.join(',')}}&size={BLEND_SIDE}`)).blob()""",
            "true",
        )
        for number in range(times)
    ]
    return [
        row("Blend: next one painted, 448 px", shown, BLEND_AIM_MS),
        row(f"Blend: labels and picture, {BLEND_SIDE} px", drawn, BLEND_AIM_MS),
    ]


def measure_tabs(page: Page, url: str, times: int) -> list[Row]:
    """Time the way from each tab to the next and back, once all have been seen."""
    open_tab(page, url, "overview")
    for tab, ready in READY.items():
        timed(page, go(tab), ready)
    took = [timed(page, go(tab), ready) for _ in range(times) for tab, ready in READY.items()]
    return [row("tab switched", took, TAB_AIM_MS)]


def row(name: str, times: Sequence[float], aim: float | None = None) -> Row:
    """Return the figures of one measurement."""
    p50, p95 = np.percentile(np.asarray(times), [50, 95])
    return {
        "what": name,
        "n": len(times),
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "aim_p95_ms": aim,
    }


def measure(root: Path, options: argparse.Namespace) -> list[Row]:
    """Drive the browser and return one row a measurement."""
    with chromium() as browser:
        studio, rows = measure_launch(root, browser, options.first_launch_s)
        parts: tuple[Callable[[Page], list[Row]], ...] = (
            lambda page: measure_browse(page, studio, options.times),
            lambda page: measure_blends(page, studio.url, options.times),
            lambda page: measure_tabs(page, studio.url, options.times),
        )
        try:
            rows += measure_first(browser, studio.url, min(options.times, 5))
            for part in parts:
                with new_page(browser) as page:
                    rows += part(page)
        finally:
            studio.stop()
    return rows


def report(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """Print a table for people and a line of JSON for each figure."""
    where = {"images": options.images, "classes": options.classes, "processors": os.cpu_count()}
    lines = [f"{options.images:,} x {options.classes} cells, {os.cpu_count()} processors, {platform.machine()}"]
    lines.append(f"{'what':<36}{'n':>4}{'p50 ms':>10}{'p95 ms':>10}{'aim p95':>9}")
    for found in rows:
        aim = "–" if found["aim_p95_ms"] is None else found["aim_p95_ms"]
        lines.append(f"{found['what']:<36}{found['n']:>4}{found['p50_ms']:>10}{found['p95_ms']:>10}{aim:>9}")
    lines += [json.dumps({**found, **where}) for found in rows]
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Make the data set, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--times", type=int, default=12, help="repetitions of an action")
    waiting = "seconds to wait for the FiftyOne data set after the first launch; 0 does not wait"
    parser.add_argument("--first-launch-s", type=float, default=1800.0, help=waiting)
    parser.add_argument("--folder", type=Path, help="keep the data set here and use it again")
    options = parser.parse_args()
    root = options.folder or Path(tempfile.mkdtemp(prefix="lm-bench-")) / "set"
    try:
        if not root.exists():
            make_dataset(root, options.images, options.classes)
        rows = measure(root, options)
    finally:
        if options.folder is None:
            shutil.rmtree(root.parent, ignore_errors=True)
    report(rows, options)


if __name__ == "__main__":
    main()
