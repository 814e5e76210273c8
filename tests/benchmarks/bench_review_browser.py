"""How a review feels in a real browser: from the key to the next picture, on many cells, with a trainer beside it.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_review_browser.py --images 100000 --classes 80

It makes a data set of generated photographs (repeated by hard links) with synthetic scores, starts the server and a
process that computes without pause, drives Chromium, and prints a table, then one JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2]))

from logicmix_studio.importing import store_tables
from logicmix_studio.labels import LabelTable
from logicmix_studio.review.queue_spec import ORDERS
from logicmix_studio.store import locate_workspace
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.run_folder import RunFolder, RunState, Snapshot
from tests.browser.conftest import ARGUMENTS, find_chromium
from tests.review_server import ServerProcess

NUM_PICTURES = 200
PICTURE_SIZE = (640, 480)
THINK_MS = 150
BUSY = """
import numpy as np
a = np.random.rand(512, 512).astype(np.float32)
while True:
    a = np.tanh(a @ a / 512)
"""

WATCH = """
window.lmTimes = {paint: [], answer: [], queue: []};
const painted = (start, list, isReady) => {
  const look = () => requestAnimationFrame(() => {
    if (!isReady()) return look();
    requestAnimationFrame(() => list.push(performance.now() - start));
  });
  look();
};
window.lmPainted = painted;
const stageReady = () => {
  const stage = document.querySelector('#review-stream .stage');
  return stage && stage.dataset.state === 'ready' && stage.querySelector('img')?.complete;
};
window.lmStageReady = stageReady;
window.lmTilesReady = () => {
  const all = [...document.querySelectorAll('#review-grid .tile img')];
  return all.length > 0 && all.every((image) => image.complete);
};
document.addEventListener('keydown', (event) => {
  if (event.key === 'y' || event.key === 'n') painted(event.timeStamp, window.lmTimes.paint, stageReady);
}, true);
const plain = window.fetch.bind(window);
window.fetch = async (...given) => {
  const start = performance.now();
  const reply = await plain(...given);
  const called = /"fn_name":"(answer|next_cards)"/.exec(String(given[1]?.body))?.[1];
  if (called === 'answer') window.lmTimes.answer.push(performance.now() - start);
  if (called === 'next_cards') window.lmTimes.queue.push(performance.now() - start);
  return reply;
};
"""


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


def measure_stream(page: Page, url: str, keys: int) -> None:
    """Answer so many cards at a pace no person keeps up."""
    page.goto(f"{url}/?tab=review")
    page.wait_for_function("() => window.lmStageReady()")
    page.wait_for_timeout(1500)
    for number in range(keys):
        page.keyboard.press("yn"[number % 2])
        page.wait_for_timeout(THINK_MS)
    page.wait_for_function("(count) => window.lmTimes.paint.length >= count", arg=keys)
    page.wait_for_function("() => document.querySelector('#review-stream .saved').dataset.kind === 'saved'")


def measure_orders(page: Page) -> list[float]:
    """Change the order and wait for the first card of the new queue; return milliseconds."""
    times = []
    for order in list(ORDERS.values())[1:]:
        page.get_by_label("Order").click()
        option = page.get_by_role("option", name=order)
        option.wait_for()
        page.evaluate(
            """() => {
              const before = window.lmTimes.queue.length;
              window.lmFound = [];
              document.addEventListener('mousedown', (event) => window.lmPainted(event.timeStamp, window.lmFound,
                () => window.lmTimes.queue.length > before && window.lmStageReady()), {once: true, capture: true});
            }"""
        )
        option.click()
        page.wait_for_function("() => window.lmFound.length")
        times.append(page.evaluate("() => window.lmFound[0]"))
    return times


def measure_pages(page: Page, url: str, pages: int) -> list[float]:
    """Turn pages of 24 tiles; return milliseconds until all tiles are painted."""
    page.goto(f"{url}/?tab=review&screen=grid")
    page.wait_for_function("() => window.lmTilesReady()")
    times = []
    for _ in range(pages):
        page.wait_for_timeout(1500)
        times.append(
            page.evaluate(
                """async () => {
                  const first = () => document.querySelector('#review-grid .tile')?.dataset.key;
                  const before = first();
                  const start = performance.now();
                  [...document.querySelectorAll('button')].find((one) => one.textContent.includes('Leave undecided')).click();
                  const times = [];
                  window.lmPainted(start, times, () => first() !== before && window.lmTilesReady());
                  while (!times.length) await new Promise((done) => setTimeout(done, 5));
                  return times[0];
                }"""
            )
        )
    return times


def row(name: str, times: Sequence[float], aim: float) -> dict[str, Any]:
    """Return the figures of one measurement."""
    p50, p95 = np.percentile(np.asarray(times), [50, 95])
    return {
        "what": name,
        "n": len(times),
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "aim_p95_ms": aim,
    }


def measure(root: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Drive the browser and return one row a measurement."""
    started = time.perf_counter()
    rows: list[dict[str, Any]] = []
    with ServerProcess(root) as server, busy_process(args.busy), sync_playwright() as playwright:
        rows.append(row("server ready", [(time.perf_counter() - started) * 1000], 5000))
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(WATCH)
        opened = time.perf_counter()
        page.goto(f"{server.url}/?tab=review")
        page.wait_for_function("() => window.lmStageReady()")
        rows.append(row("page open to first card", [(time.perf_counter() - opened) * 1000], 5000))
        measure_stream(page, server.url, args.keys)
        times = page.evaluate("() => window.lmTimes")
        rows.append(row("key to next picture painted", times["paint"], 100))
        rows.append(row("answer acknowledged (on disk)", times["answer"], 100))
        rows.append(row("new order to first card", measure_orders(page), 1000))
        rows.append(row("grid page of 24 changed", measure_pages(page, server.url, args.pages), 400))
        browser.close()
    return rows


def main() -> None:
    """Make the data set, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--keys", type=int, default=300, help="answers in the stream")
    parser.add_argument("--pages", type=int, default=12, help="pages of the grid")
    both = argparse.BooleanOptionalAction
    parser.add_argument("--busy", action=both, default=True, help="a trainer-like process beside it")
    parser.add_argument("--folder", type=Path, help="keep the data set here and use it again")
    args = parser.parse_args()
    root = args.folder or Path(tempfile.mkdtemp(prefix="lm-bench-")) / "set"
    try:
        if not root.exists():
            make_dataset(root, args.images, args.classes)
        rows = measure(root, args)
    finally:
        if args.folder is None:
            shutil.rmtree(root.parent, ignore_errors=True)
    beside = "busy" if args.busy else "idle"
    cells = f"{args.images:,} x {args.classes} cells, {beside} process beside, {os.cpu_count()} processors"
    print(f"{cells}, {platform.machine()}")
    print(f"{'what':<34}{'n':>5}{'p50 ms':>10}{'p95 ms':>10}{'aim p95':>10}")
    for found in rows:
        print(f"{found['what']:<34}{found['n']:>5}{found['p50_ms']:>10}{found['p95_ms']:>10}{found['aim_p95_ms']:>10}")
    for found in rows:
        print(json.dumps({**found, "images": args.images, "classes": args.classes, "busy": args.busy}))


if __name__ == "__main__":
    main()
