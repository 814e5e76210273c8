"""How long a blend takes from the key press to the painted picture, in a real Chromium.

python -m tests.benchmarks.bench_blend DATASET [--workspace WORKSPACE] [--draws 40] [--size 224]
"""

from __future__ import annotations

import argparse
import json
import threading

import numpy as np
import uvicorn
from playwright.sync_api import sync_playwright

from logicmix_studio.studio import Studio
from logicmix_studio.app.server import address, bind, build_app
from tests.browser.conftest import ARGUMENTS, find_chromium

MEASURE = """async ({seed, size}) => {
  const began = performance.now();
  const query = `seed=${seed}&probability=1&k_min=2&k_max=3`;
  const blend = await (await fetch(`/api/blend/draw?${query}`)).json();
  const drawn = performance.now();
  const image = new Image();
  image.src = `/api/blend/image?ids=${blend.ids.join(",")}&size=${size}`;
  await image.decode();
  document.body.append(image);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  image.remove();
  return [drawn - began, performance.now() - began];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--workspace")
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    with Studio.open(options.dataset, workspace=options.workspace, who="bench") as studio:
        listener = bind("127.0.0.1", 0)
        port = listener.getsockname()[1]
        app = build_app(studio, port=port, gradio=False)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        times = measure(address("127.0.0.1", port), options.draws, options.size)
        server.should_exit = True
        thread.join()
    labels, painted = np.array(times).T
    facts = {
        "draws": options.draws,
        "size": options.size,
        "labels_ms": quantiles(labels),
        "painted_ms": quantiles(painted),
    }
    print(json.dumps(facts))


def measure(url: str, draws: int, size: int) -> list[list[float]]:
    """Return for each draw the milliseconds to its labels and to its painted picture; the first is not counted."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page()
        page.goto(url)
        page.evaluate(MEASURE, {"seed": 0, "size": size})
        times = [page.evaluate(MEASURE, {"seed": seed, "size": size}) for seed in range(1, draws + 1)]
        browser.close()
    return times


def quantiles(values: np.ndarray) -> dict[str, float]:
    return {"p50": round(float(np.median(values)), 1), "p95": round(float(np.quantile(values, 0.95)), 1)}


if __name__ == "__main__":
    main()
