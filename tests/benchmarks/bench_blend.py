"""How long a blend takes from the key press to the painted picture, in a real Chromium.

python -m tests.benchmarks.bench_blend DATASET [--workspace WORKSPACE] [--draws 40]
"""

from __future__ import annotations

import argparse
import json
import threading

import numpy as np
import uvicorn
from playwright.sync_api import sync_playwright

from logicmix_studio.app.server import address, bind, build_app
from logicmix_studio.studio import Studio
from tests.browser.conftest import ARGUMENTS, find_chromium

FIRST_BLEND_MS = 120_000
"""The first blend of a process imports torch."""
MEASURE = """async () => {
  const tab = document.getElementById("tab-blend");
  const picture = () => tab.querySelector(".image-container img, .image-frame img");
  const before = [picture().src, tab.querySelector("tbody").innerText];
  const began = performance.now();
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "d", code: "KeyD", bubbles: true }));
  const frame = () => new Promise(requestAnimationFrame);
  while (picture().src === before[0]) await frame();
  await picture().decode();
  await frame();
  await frame();
  return performance.now() - began;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--workspace")
    parser.add_argument("--draws", type=int, default=40)
    options = parser.parse_args()
    with Studio.open(options.dataset, workspace=options.workspace, who="bench", read_only=True) as studio:
        listener = bind("127.0.0.1", 0)
        url = address("127.0.0.1", listener.getsockname()[1])
        server = uvicorn.Server(uvicorn.Config(build_app(studio), log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        times = measure(url, options.draws)
        server.should_exit = True
        thread.join()
    p50, p95 = np.quantile(times, [0.5, 0.95]).round(1).tolist()
    print(json.dumps({"draws": options.draws, "painted_ms": {"p50": p50, "p95": p95}}))


def measure(url: str, draws: int) -> list[float]:
    """Return for each draw the milliseconds from the key to the painted picture; the first ones are not counted."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{url}?tab=blend")
        page.wait_for_selector("#tab-blend tr[data-class]", timeout=FIRST_BLEND_MS)
        page.wait_for_selector("#tab-blend .image-frame img, #tab-blend .image-container img")
        times = [page.evaluate(MEASURE) for _ in range(draws + 2)]
        browser.close()
    return times[2:]


if __name__ == "__main__":
    main()
