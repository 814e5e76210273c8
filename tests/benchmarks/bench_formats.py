"""How much time and memory `convert` needs for a csv-long of many rows, in each format of one file.

Run: uv run python tests/benchmarks/bench_formats.py --rows 1000000
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from logicmix_studio.formats import WRITE_FORMATS

CLASSES = 20


def write_data(folder: Path, num_rows: int) -> None:
    """Write a table of so many known cells, all classes of each image, and empty files in place of the images."""
    (folder / "photos").mkdir(parents=True)
    draw = random.Random(1)
    with (folder / "labels.csv").open("w") as file:
        file.write("image,class,value,source,score,split\n")
        for i in range(num_rows // CLASSES):
            name, split = f"photos/{i:06d}.jpg", "train" if i % 5 else "test"
            (folder / name).touch()
            file.writelines(f"{name},class {c},{draw.randint(0, 1)},human,,{split}\n" for c in range(CLASSES))


def convert(folder: Path, target: Path, name: str) -> None:
    """Convert in this process and print the processor's seconds and the most memory."""
    import resource

    from logicmix_studio.cli.main import app

    options = ["--labels", str(folder / "labels.csv"), "--format", name]
    app(["convert", str(folder), str(target), *options], standalone_mode=False)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{name}: {used.ru_utime + used.ru_stime:.1f} s of a processor, {used.ru_maxrss / 1024:,.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--formats", default=",".join(name for name, ending in WRITE_FORMATS.items() if ending))
    parser.add_argument("--convert", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.convert:
        folder, target, name = given.convert
        convert(Path(folder), Path(target), name)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "data"
        write_data(folder, given.rows)
        for name in given.formats.split(","):
            command = [sys.executable, __file__, "--convert", str(folder), str(Path(temporary) / f"out-{name}"), name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
