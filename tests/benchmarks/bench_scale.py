"""How the studio grows: import, launch, queues and memory with very many images or classes.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_scale --images 100000 --classes 80 [--folder DIR]
    python -m tests.benchmarks.bench_scale --plot docs/scale.svg OUTPUT…      draws what such runs printed

It makes a folder of hard links to a few photographs and a CSV of the known cells, imports it with the command line, lays
down a finished run with synthetic scores, and launches the studio twice as people do, mongod included: the first launch
makes the data set. It prints a table, then one JSON object a line. ``bench_store`` measures decisions, and how long a run's
pseudo-labels take into the data set.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
from matplotlib import pyplot
from PIL import Image

from logicmix_studio.review.queue_spec import ORDERS
from logicmix_studio.store import load_table, locate_workspace
from tests.launched import LaunchedStudio
from tests.workspaces import add_run

LINKS = 30_000
"""To one photograph; file systems allow some tens of thousands."""
KNOWN_PROPORTION = 0.05

Figure = tuple[str, float]


def make_folder(root: Path, num_images: int, num_classes: int) -> None:
    """Lay down photographs and ``labels.csv`` (image, class, value) with the known cells."""
    rng = np.random.default_rng(0)
    root.mkdir(parents=True)
    with (root / "labels.csv").open("w", encoding="utf-8") as file:
        file.write("image,class,value\n")
        for row in range(num_images):
            name = f"part{row // 1000:04d}/{row:07d}.jpg"
            path = root / name
            if row % 1000 == 0:
                path.parent.mkdir()
            if row % LINKS == 0:
                Image.fromarray(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)).save(path)
                photograph = path
            else:
                path.hardlink_to(photograph)
            known = rng.integers(num_classes, size=max(1, round(KNOWN_PROPORTION * num_classes)))
            file.writelines(f"{name},class {column},{int(rng.random() < 0.2)}\n" for column in np.unique(known))


def import_figures(root: Path) -> Iterator[Figure]:
    """Time the command ``import``."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "logicmix_studio", "import", str(root), "--labels", str(root / "labels.csv")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    yield "import (s)", time.perf_counter() - began
    yield "import, memory (GiB)", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def studio_figures(root: Path) -> Iterator[Figure]:
    """Launch twice, and ask for every queue."""
    studio = LaunchedStudio.launch(root)
    try:
        yield "first launch to server ready (s)", seconds(studio.start)
        studio.stop()
        yield "second launch to server ready (s)", seconds(studio.start)
        yield "first question after it, scores read (s)", seconds(lambda: studio.ask("questions", order="uncertain"))
        for scope in ("proposals", "open"):
            times = [seconds(lambda o=order, s=scope: studio.ask("questions", order=o, scope=s)) for order in ORDERS]
            yield f"queue rebuilt, slowest of {len(ORDERS)} orders, {scope} (s)", max(times)
        assert studio.process is not None
        yield "server memory (GiB)", psutil.Process(studio.process.pid).memory_info().rss / 2**30
    finally:
        studio.stop()


def figures(root: Path, num_images: int, num_classes: int) -> Iterator[Figure]:
    """Measure everything in a folder that is made."""
    make_folder(root, num_images, num_classes)
    yield from import_figures(root)
    workspace = locate_workspace(root)
    table = load_table(workspace.labels_file)
    truth = np.where(np.random.default_rng(1).random(table.states.shape, dtype=np.float32) < 0.2, 1, -1)
    add_run(workspace, table, truth.astype(np.int8))
    del table, truth
    yield from studio_figures(root)


def plot(outputs: list[Path], file: Path) -> None:
    """Draw each figure against the number of images, beside a line on which the cost is proportional to it."""
    lines = [line for output in outputs for line in output.read_text().splitlines() if line.startswith('{"figure"')]
    found: dict[str, list[tuple[int, float]]] = {}
    for one in sorted(map(json.loads, lines), key=lambda one: int(one["images"])):
        found.setdefault(one["figure"], []).append((one["images"], one["value"]))
    figure, axes = pyplot.subplots(figsize=(10, 4.5), layout="constrained")
    for name, points in found.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    sizes = [size for size, _ in next(iter(found.values()))]
    steepest = next(points for name, points in found.items() if name.startswith("import (s)"))[0][1] / sizes[0]
    axes.plot(sizes, [size * steepest for size in sizes], color="grey", linestyle=":", label="proportional")
    axes.set(xscale="log", yscale="log", xlabel="images", ylabel="seconds or GiB")
    axes.grid(visible=True, alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small")
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Measure and print, or draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outputs", type=Path, nargs="*", metavar="OUTPUT", help="for --plot: what other calls printed")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the outputs instead of measuring")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--folder", type=Path, help="where the set is made, which is left there")
    options = parser.parse_args()
    if options.plot:
        plot(options.outputs, options.plot)
        return
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, value in figures((options.folder or Path(temporary)) / "set", options.images, options.classes):
            print(f"{name:75s} {value:10.2f}", flush=True)
            lines.append({"figure": name, "value": round(value, 3)})
    for line in lines:
        print(json.dumps({**line, "images": options.images, "classes": options.classes}))


if __name__ == "__main__":
    main()
