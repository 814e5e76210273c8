"""How the studio feels in a real browser: launch, keys, queues, filters, blends, tabs, and many reviewers at once.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_page --images 100000 --classes 80
    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_page --demo      the demo, with a run trained beside 15 reviewers

It makes a data set of generated photographs (repeated by hard links) with synthetic scores of two runs, or the demo, and
launches the studio as people do, mongod included. Each action is timed from the press of mouse or key to the frame in
which all that it changes is painted. It prints a table, then one JSON object a line.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Browser, Page

from logicmix_studio.importing import store_tables
from logicmix_studio.labels import LabelTable
from logicmix_studio.review.queue_spec import ORDERS
from logicmix_studio.store import load_table, locate_workspace
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.run_folder import RunFolder, RunState, Snapshot
from tests.launched import LaunchedStudio, chromium
from tests.page_reviewer import PageReviewer

NUM_PICTURES = 200
PICTURE_SIZE = (640, 480)
THINK_MS = 150
"""Between two answers; no person keeps up this pace."""
REST_MS = 400
"""Between two other actions, so that what the first began has ended."""
LIMIT_MS = 120_000
DEMO_IMAGES = 1200
BUSY = """
import numpy as np
a = np.random.rand(512, 512).astype(np.float32)
while True:
    a = np.tanh(a @ a / 512)
"""

WATCH = """
window.lmTook = [];
window.frame = () => new Promise(requestAnimationFrame);
window.there = (selector) => [...document.querySelectorAll(selector)].some((node) => node.checkVisibility());
window.loaded = (selector) => {
  const seen = [...document.querySelectorAll(selector)].filter((image) => {
    const box = image.getBoundingClientRect();
    return image.checkVisibility() && box.width > 0 && box.bottom > 0 && box.top < innerHeight;
  });
  return seen.length > 0 && seen.every((image) => image.complete && image.naturalWidth > 0);
};
window.value = (selector, name) => document.querySelector(selector)?.getAttribute(name);
/** Note how long it takes from an event to the frame after `ready` is true and `key` another than before. */
window.lmWatch = (kind, ready, key) => {
  const before = key();
  window.lmTook = null;
  addEventListener(kind, async (event) => {
    do await frame(); while ((before !== null && key() === before) || !ready());
    await frame();
    window.lmTook = performance.now() - event.timeStamp;
  }, { once: true, capture: true });
};
window.lmAnswers = [];
const plain = window.fetch.bind(window);
window.fetch = async (...given) => {
  const start = performance.now();
  const reply = await plain(...given);
  if (/"fn_name":"answer"/.test(String(given[1]?.body))) window.lmAnswers.push(performance.now() - start);
  return reply;
};
"""

READY = {
    "overview": "there('#class-bars .list .row') && there('#next-step h2')",
    "browse": "loaded('#browse-grid .tile img')",
    "blend": "loaded('#tab-blend img') && there('#tab-blend .truth_table, #tab-blend table')",
    "review": "there('#review-stream .stream[data-state=card]') && loaded('#review-stream .stage img')",
    "label": "loaded('#tab-label .stage img')",
    "train": "there('#tab-train button') && there('#tab-train table')",
}
"""Of each tab: whether all of it is on screen."""
CARD = "value('#review-stream .stream', 'data-cell')"
GRID = "document.querySelector('#browse-grid').textContent"

Row = dict[str, Any]


def draw_pictures(folder: Path) -> list[Path]:
    """Draw pictures that compress like photographs."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    width, height = PICTURE_SIZE
    drawn = []
    for number in range(NUM_PICTURES):
        coarse = generator.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        grain = generator.normal(0, 9, (height, width, 1))
        pixels = np.clip(np.asarray(image, dtype=np.float32) + grain, 0, 255).astype(np.uint8)
        path = folder / f"picture-{number:03d}.jpg"
        Image.fromarray(pixels).save(path, quality=88)
        drawn.append(path)
    return drawn


def make_dataset(root: Path, num_images: int, num_classes: int) -> None:
    """Lay down the data set, its workspace and two finished runs."""
    pictures = draw_pictures(root / "drawn")
    paths = [f"images/{row // 1000:03d}/{row:06d}.jpg" for row in range(num_images)]
    for row, path in enumerate(paths):
        target = root / path
        if row % 1000 == 0:
            target.parent.mkdir(parents=True)
        target.hardlink_to(pictures[row % NUM_PICTURES])
    generator = np.random.default_rng(1)
    shape = (num_images, num_classes)
    chance = generator.random(shape, dtype=np.float32)
    states = (chance < 0.02).astype(np.int8) - (chance > 0.92).astype(np.int8)
    names = [f"class {number:02d}" for number in range(num_classes)]
    table = LabelTable.build(paths, names, states, ["train"] * num_images)
    workspace = locate_workspace(root)
    store_tables(workspace, table, None)
    scores = generator.beta(0.15, 0.4, shape).astype(np.float16)
    for run in (1, 2):
        noise = generator.normal(0, 0.02 * (2 - run), shape).astype(np.float16) if run == 1 else np.float16(0)
        add_scores(workspace.runs / f"{run:04d}", table, np.clip(scores + noise, 0, 1).astype(np.float16))


def add_scores(path: Path, table: LabelTable, scores: npt.NDArray[np.float16]) -> None:
    """Lay down a finished run with given scores."""
    path.mkdir(parents=True)
    folder = RunFolder(path)
    config = RunConfig.create("quick", root=str(path), class_names=table.class_names)
    folder.config_file.write_text(config.to_json(), encoding="utf-8")
    arrays = (table.image_ids, table.paths, table.class_names, table.splits)
    ids, paths, names, splits = (np.array(values, dtype=np.str_) for values in arrays)
    Snapshot(states=table.states, image_ids=ids, paths=paths, class_names=names, splits=splits).save(
        folder.snapshot_file
    )
    np.save(folder.scores_file, scores, allow_pickle=False)
    np.save(folder.heldout_file, np.zeros(scores.shape, dtype=np.bool_), allow_pickle=False)
    folder.result_file.write_text(json.dumps({"map": 0.5 + 0.1 * int(path.name)}), encoding="utf-8")
    folder.write_state(RunState("finished", "done", 1.0, updated=time.time()))


@contextmanager
def busy_process(is_wanted: bool) -> Iterator[None]:
    """Keep one processor busy, as a trainer would."""
    if not is_wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", BUSY], env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    """Open a page without anything cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(LIMIT_MS)
    page = context.new_page()
    page.add_init_script(WATCH)
    yield page
    context.close()


def open_tab(page: Page, url: str, tab: str) -> float:
    """Open the page on a tab and return the milliseconds until all of it is painted."""
    start = time.perf_counter()
    page.goto(f"{url}/?tab={tab}")
    page.wait_for_function(f"() => {READY[tab]}")
    took = (time.perf_counter() - start) * 1000
    page.wait_for_timeout(REST_MS)
    return took


def timed(page: Page, act: Callable[[], None], ready: str, *, key: str = "null", kind: str = "mousedown") -> float:
    """Do something in the page and return the milliseconds until the frame after it is ready.

    Args:
        page: The page.
        act: Presses a key or the mouse, once.
        ready: A JavaScript expression that is true once everything is drawn.
        key: An expression that must have another value than before the act, where ``ready`` may hold already.
        kind: The event from which on time counts.
    """
    page.evaluate(f"() => lmWatch({json.dumps(kind)}, () => {ready}, () => {key})")
    act()
    took = float(page.wait_for_function("() => window.lmTook").json_value())
    page.wait_for_timeout(REST_MS)
    return took


def choose(page: Page, label: str, option: str) -> Callable[[], None]:
    """Open a list of the page; return what chooses one of its options."""
    page.get_by_label(label, exact=True).locator("visible=true").click()
    found = page.get_by_role("option", name=option, exact=True)
    found.wait_for()
    return found.click


def measure_first(browser: Browser, url: str, times: int) -> list[Row]:
    """Time what somebody sees first, each time in a browser that has cached nothing."""
    rows = []
    for tab, name in (("overview", "Overview"), ("browse", "the first grid of Browse"), ("review", "the first card")):
        took = []
        for _ in range(times):
            with new_page(browser) as page:
                took.append(open_tab(page, url, tab))
        rows.append(row(f"page open to {name}", took, 3000))
    return rows


def measure_review(page: Page, url: str, times: int) -> list[Row]:
    """Time answers, orders for the first time, and pages of the grid."""
    open_tab(page, url, "review")
    painted = []
    for number in range(times * 12):
        press = lambda key="yn"[number % 2]: page.keyboard.press(key)  # noqa: E731
        page.evaluate(f"() => lmWatch('keydown', () => {READY['review']}, () => {CARD})")
        press()
        painted.append(float(page.wait_for_function("() => window.lmTook").json_value()))
        page.wait_for_timeout(THINK_MS)
    page.wait_for_function("() => document.querySelector('#review-stream .saved').dataset.kind === 'saved'")
    saved = page.evaluate("() => lmAnswers")
    asked = "performance.getEntriesByType('resource').filter((one) => one.name.includes('component_server')).length"
    page.evaluate("() => performance.setResourceTimingBufferSize(1_000_000)")
    ready = READY["review"].replace("loaded(", "!there('#review-stream .stream[data-state=loading]') && loaded(")
    orders = [timed(page, choose(page, "Order", order), ready, key=asked) for order in list(ORDERS.values())[1:]]
    page.goto(f"{url}/?tab=review&screen=grid")
    page.wait_for_function("() => loaded('#review-grid .tile img')")
    page.wait_for_timeout(REST_MS)
    leave = page.get_by_role("button", name="Leave undecided")
    first = "value('#review-grid .tile', 'data-key')"
    pages = [timed(page, leave.click, "loaded('#review-grid .tile img')", key=first) for _ in range(times)]
    return [
        row("Review: key to next picture painted", painted, 100),
        row("Review: answer acknowledged, on disk", saved, 100),
        row("Review: another order to its first card", orders, 1000),
        row("Review: page of the grid changed", pages, 400),
    ]


def measure_browse(page: Page, url: str, times: int, classes: Sequence[str], aim: float) -> list[Row]:
    """Time filters, pages, and one image."""
    open_tab(page, url, "browse")
    filters = []
    for name in classes[:times]:
        filters.append(timed(page, choose(page, "Class", name), READY["browse"], key=GRID))
        for state in ("● positive", "All"):
            button = page.locator("#tab-browse label", has_text=state).first
            filters.append(timed(page, button.click, READY["browse"], key=GRID))
    page.get_by_role("button", name="Clear the filters").click()
    page.wait_for_timeout(2 * REST_MS)
    following = page.get_by_role("button", name="Next page")
    pages = [timed(page, following.click, READY["browse"], key=GRID) for _ in range(times)]
    opened = "loaded('#browse-image .picture img') && there('#browse-image .list *')"
    title = "document.querySelector('#browse-image h2')?.textContent"
    tiles = page.locator("#browse-grid .tile")
    images = [timed(page, tiles.nth(at).click, opened, key=title) for at in range(times)]
    return [
        row("Browse: filter changed", filters, aim),
        row("Browse: next page of 60", pages, aim),
        row("Browse: one image opened", images, aim),
    ]


def measure_blends(page: Page, url: str, times: int) -> list[Row]:
    """Time one blend after another, from the key to picture, sources and truth table."""
    open_tab(page, url, "blend")
    source = "document.querySelector('#tab-blend img')?.src"
    press = lambda: page.keyboard.press("d")  # noqa: E731
    took = [timed(page, press, READY["blend"], key=source, kind="keydown") for _ in range(times)]
    return [row("Blend: next one painted", took, 400)]


def measure_tabs(page: Page, url: str, times: int) -> list[Row]:
    """Time the way from each tab to the next, once all have been seen."""
    open_tab(page, url, "overview")
    tab = lambda name: page.locator(f"[role=tab][data-tab-id='{name}']")  # noqa: E731
    for name, ready in READY.items():
        tab(name).click()
        page.wait_for_function(f"() => {ready}")
        page.wait_for_timeout(REST_MS)
    took: dict[str, list[float]] = {name: [] for name in READY}
    for _ in range(times):
        for name, ready in READY.items():
            took[name].append(timed(page, tab(name).click, ready))
    return [row(f"tab switched to {name.title()}", found, 200) for name, found in took.items()]


def measure_reviewers(studio: LaunchedStudio, reviewers: int, answers: int, *, trains: bool) -> list[Row]:
    """Let many people answer at once as their pages do, a question a second each, while a run trains."""
    run = int(studio.ask("train", recipe="2wayaug-pl")) if trains else None
    people = [PageReviewer(f"reviewer {number}", lambda: studio.url) for number in range(reviewers)]

    def review(person: PageReviewer) -> None:
        for _ in itertools.islice(person.work(lambda _: 1, ahead=answers), answers):
            pass
        person.close()

    threads = [threading.Thread(target=review, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if run is not None:
        studio.ask("cancel", run=run)
    took = [ms for person in people for ms in person.took]
    return [row(f"{reviewers} reviewers at once: a decision", took, 100)]


def row(name: str, times: Sequence[float], aim: float | None = None) -> Row:
    """Return the figures of one measurement."""
    p50, p95 = np.percentile(np.asarray(times), [50, 95])
    return {"what": name, "n": len(times), "p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "aim_p95_ms": aim}


def measure(root: Path, options: argparse.Namespace) -> list[Row]:
    """Launch the studio a second time, drive the browser, and return one row a measurement."""
    rows: list[Row] = []
    with chromium() as browser:
        with LaunchedStudio.launch(root):
            time.sleep(options.settle_s)
        start = time.perf_counter()
        with LaunchedStudio.launch(root) as studio, busy_process(options.busy):
            rows.append(row("second launch to server ready", [(time.perf_counter() - start) * 1000], 10_000))
            classes = load_table(locate_workspace(root).labels_file).class_names
            rows += measure_first(browser, studio.url, min(options.times, 5))
            parts: tuple[Callable[[Page], list[Row]], ...] = (
                lambda page: measure_tabs(page, studio.url, options.times),
                lambda page: measure_browse(page, studio.url, options.times, classes, 400 if options.demo else 1000),
                lambda page: measure_blends(page, studio.url, options.times),
                lambda page: measure_review(page, studio.url, options.times),
            )
            for part in parts:
                with new_page(browser) as page:
                    rows += part(page)
            if options.reviewers:
                rows += measure_reviewers(studio, options.reviewers, 20, trains=options.demo)
    return rows


def make_demo(root: Path) -> None:
    """Lay down the demo and train it once."""
    root.mkdir(parents=True)
    with LaunchedStudio.demo(root, images=DEMO_IMAGES) as studio:
        studio.train("fast", 1800)


def report(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """Print a table for people and a line of JSON for each figure."""
    what = f"{DEMO_IMAGES:,} images" if options.demo else f"{options.images:,} x {options.classes} cells"
    beside = "busy" if options.busy else "idle"
    lines = [f"{what}, {beside} process beside, {os.cpu_count()} processors, {platform.machine()}"]
    lines.append(f"{'what':<44}{'n':>4}{'p50 ms':>10}{'p95 ms':>10}{'aim p95':>9}")
    for found in rows:
        lines.append("{what:<44}{n:>4}{p50_ms:>10}{p95_ms:>10}{aim_p95_ms!s:>9}".format(**found))
    lines += [json.dumps({**found, "data": what, "busy": options.busy}) for found in rows]
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Make the data set, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--demo", action="store_true", help="measure on the demo instead")
    parser.add_argument("--times", type=int, default=12, help="repetitions of an action")
    parser.add_argument("--busy", action="store_true", help="with a process beside it that computes without pause")
    parser.add_argument("--reviewers", type=int, default=15, help="people who answer at once; 0 leaves them out")
    parser.add_argument(
        "--settle-s", type=float, default=60.0, help="for the FiftyOne data set, after the first launch"
    )
    parser.add_argument("--folder", type=Path, help="keep the data set here and use it again")
    options = parser.parse_args()
    root = options.folder or Path(tempfile.mkdtemp(prefix="lm-bench-")) / "set"
    try:
        if not root.exists():
            make_demo(root) if options.demo else make_dataset(root, options.images, options.classes)
        rows = measure(root, options)
    finally:
        if options.folder is None:
            shutil.rmtree(root.parent, ignore_errors=True)
    report(rows, options)


if __name__ == "__main__":
    main()
