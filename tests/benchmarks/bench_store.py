"""How long a decision takes until it is durable and until it is in the FiftyOne data set, and a run's proposals.

    python -m tests.benchmarks.bench_store [--images 100000] [--classes 80] [--decisions 200]

A real mongod and a real journal in a temporary folder; the data set is written as the set-up process writes it.
It prints a table, then one JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from logicmix_studio.labels import LabelTable
from logicmix_studio.processes import keep_pauses_short
from logicmix_studio.review.proposals import Thresholds, propose
from logicmix_studio.store import Decision, Journal, Ledger
from logicmix_studio.store.fiftyone.mongod import Mongod
from logicmix_studio.store.fiftyone.sync_worker import SyncWorker, connect
from tests.store.conftest import DATABASE, make_dataset

KNOWN_PROPORTION = 0.1
PATIENCE = 600.0


def make_table(num_images: int, num_classes: int, rng: np.random.Generator) -> LabelTable:
    """Make a table whose cells are known at random."""
    states = np.where(rng.random((num_images, num_classes)) < KNOWN_PROPORTION, 1, 0).astype(np.int8)
    states *= np.where(rng.random(states.shape) < 0.1, 1, -1).astype(np.int8)
    paths = [f"{row:06d}.jpg" for row in range(num_images)]
    return LabelTable.build(paths, [f"class {column}" for column in range(num_classes)], states, [""] * num_images)


def decide_some(ledger: Ledger, worker: SyncWorker, count: int, rng: np.random.Generator) -> dict[str, list[float]]:
    """Decide cells one by one; return milliseconds until durable and until in the data set."""
    times: dict[str, list[float]] = {"durable": [], "in the data set": []}
    for _ in range(count):
        row, column = rng.integers(ledger.table.num_images), rng.integers(ledger.table.num_classes)
        decision = Decision(ledger.table.image_ids[row], ledger.table.class_names[column], 1)
        began = time.perf_counter()
        ledger.decide([decision], who="ada", origin="stream")
        times["durable"].append(1000 * (time.perf_counter() - began))
        assert worker.flush(PATIENCE)
        times["in the data set"].append(1000 * (time.perf_counter() - began))
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--decisions", type=int, default=200)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    table = make_table(options.images, options.classes, rng)
    with tempfile.TemporaryDirectory() as folder, Mongod(Path(folder) / "db", environ={}) as mongod:
        uri = mongod.ensure()
        client = connect(uri)
        workspace_id = make_dataset(client[DATABASE], table)
        ledger = Ledger(table, journal=Journal(Path(folder) / "journal.jsonl"))
        worker = SyncWorker(uri, workspace_id, table, database=DATABASE)
        worker.start()
        ledger.listen(worker.submit)
        keep_pauses_short()  # as the server does
        figures = {
            f"decision {name}, {what} (ms)": float(np.percentile(values, level))
            for name, values in decide_some(ledger, worker, options.decisions, rng).items()
            for what, level in (("p50", 50), ("p95", 95))
        }
        scores = rng.beta(0.25, 1.5, table.states.shape).astype(np.float16)
        thresholds = Thresholds.constant(table.num_classes, 0.95, 0.999)
        excluded = np.zeros(table.num_images, dtype=bool)
        proposals = propose(scores, ledger.states, thresholds, excluded, ledger.unsure_run, 1)
        began = time.perf_counter()
        worker.write_proposals(1, proposals, scores, seq=ledger.seq)
        beside = decide_some_beside(ledger, worker, rng)
        assert worker.flush(PATIENCE)
        figures["proposals an image"] = float(np.count_nonzero(proposals) / table.num_images)
        figures["a run's proposals stored (s)"] = time.perf_counter() - began
        figures["decision durable meanwhile, p95 (ms)"] = float(np.percentile(beside, 95))
        worker.close()
        client.close()
    for name, value in figures.items():
        print(f"{name:45s} {value:10.2f}")
    for name, value in figures.items():
        print(
            json.dumps(
                {
                    "figure": name,
                    "value": round(value, 3),
                    "images": options.images,
                    "classes": options.classes,
                }
            )
        )


def decide_some_beside(ledger: Ledger, worker: SyncWorker, rng: np.random.Generator) -> list[float]:
    """Decide a cell each tenth of a second while a run's proposals are written; return milliseconds until durable."""
    times = []
    while worker.status().proposals_fraction is not None:
        row, column = rng.integers(ledger.table.num_images), rng.integers(ledger.table.num_classes)
        decision = Decision(ledger.table.image_ids[row], ledger.table.class_names[column], -1)
        began = time.perf_counter()
        ledger.decide([decision], who="ada", origin="stream")
        times.append(1000 * (time.perf_counter() - began))
        time.sleep(0.1)
    return times or [0.0]


if __name__ == "__main__":
    main()
