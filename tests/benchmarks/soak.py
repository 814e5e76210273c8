"""An hour of many reviewers, trainings, bulk changes, undos and exports, while one process after the other is killed.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.soak [--minutes 60] [--calm-minutes 10] [--kills 200] [--reviewers 20]

First a calm part: reviewers answer as their pages do, a question a second each, beside a training run; the time that a
decision takes and the server's memory are measured. Then server, mongod, trainers and single processes of trainings with
two of them are killed with SIGKILL, again and again, in random moments. Every answer is kept until it is acknowledged. In
the end the studio is stopped and asked: is each acknowledged action in the journal exactly once, with what was said; do
arrays and data set agree with the journal; what did it print. Each event is a line of JSON in ``--log``; the summary is
printed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from gradio_client.exceptions import AppError

from logicmix_studio.files import read_json
from logicmix_studio.store import Ledger, load_table, read_journal
from logicmix_studio.verify import verify
from tests.launched import LaunchedStudio, action_id, wait_until
from tests.page_reviewer import AGAIN_S, PageReviewer
from tests.tiny_runs import TINY_FULL
from tests.workspaces import make_workspace

IMAGES, CLASSES = 5000, 30
PATIENCE = 300.0
LONG = {**TINY_FULL, "schedule.epochs": 2000}
"""A run that ends only when it is told to or killed."""
GOING_ON = ("waiting", "starting", "running")
BULK, UNDO, EXPORT, LOOK_S = 0.5, 0.8, 0.9, 5.0
"""What the keeper draws: below the first a bulk change, then an undo, then an export, else a quick run; every so often."""


class Soak:
    """A studio, those who work in it, and those who kill it."""

    def __init__(self, folder: Path, log: Path, reviewers: int, seed: int) -> None:
        """Make the data set."""
        self.workspace = make_workspace(
            folder / "set",
            num_images=IMAGES,
            class_names=[f"class {number:02d}" for number in range(CLASSES)],
            known_proportion=0.1,
            side=48,
            draw_every=50,
        )
        self.truth = load_table(self.workspace.labels_file)
        self.studio = LaunchedStudio.launch(folder / "set")
        self.people = [PageReviewer(f"reviewer {number}", lambda: self.studio.url) for number in range(reviewers)]
        self.dice = random.Random(seed)
        self.actions: dict[str, str] = {}
        self.refused: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.back_s: dict[str, list[float]] = {}
        self.errors: list[str] = []
        self.is_over, self.server = threading.Event(), threading.Lock()
        self._log, self._began = log.open("a", encoding="utf-8"), time.monotonic()

    def tell(self, what: str, **facts: Any) -> None:
        """Write a line into the log."""
        self._log.write(json.dumps({"s": round(time.monotonic() - self._began, 1), "what": what, **facts}) + "\n")
        self._log.flush()

    def ask(self, name: str, **arguments: Any) -> Any:
        """Ask as a program does, again where the server falls meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.studio.ask(name, **arguments)
            except AppError:
                raise
            except Exception as error:  # whatever a connection that breaks anywhere raises
                if time.monotonic() > deadline:
                    raise TimeoutError(f"/{name} was not answered") from error
                time.sleep(AGAIN_S)

    def try_to(self, name: str, **arguments: Any) -> Any:
        """Ask for what may be refused by now, as somebody else was faster; refusals are counted."""
        try:
            return self.ask(name, **arguments)
        except AppError as error:
            self.refused[str(error)[:60]] += 1
            return None

    def act(self, name: str, **arguments: Any) -> None:
        """Ask for a change with an id, which is kept once it is acknowledged; a refusal is counted."""
        number = action_id()
        if self.try_to(name, **arguments, action_id=number) is not None:
            self.actions[number] = name

    # Those who work.

    def review(self, person: PageReviewer) -> None:
        """Answer until it is over."""
        for _ in person.work(lambda _: self.dice.choice((-1, -1, -1, 1))):
            if self.is_over.is_set():
                break

    def keep(self) -> None:
        """Change much at once, undo, export and train, now and then."""
        while not self.is_over.wait(LOOK_S):
            drawn = self.dice.random()
            if drawn < BULK:
                asked = {"class_names": [self.dice.choice(self.truth.class_names)], "threshold": 0.9, "sign": -1}
                cells = self.ask("accept_plan", **asked, without_audit=True)["cells"]
                if cells:
                    self.act("accept_above", **asked, expected=cells, reason="the soak test accepts blindly")
            elif drawn < UNDO:
                self.act("undo")
            elif drawn < EXPORT:
                self.ask("export", kind=self.dice.choice(("csv-long", "coco-json")), pseudo=True, harmless=True)
            elif not any(info["status"] in GOING_ON for info in self.ask("runs")):
                self.try_to(
                    "train", recipe="quick", overrides={"backbone.image_size": 32, "backbone.weights": "random"}
                )

    # Those who kill.

    def cancel_runs(self) -> list[dict[str, Any]]:
        """End the run that is trained and those that wait, as a device serves one at a time; return all runs."""
        runs: list[dict[str, Any]] = self.ask("runs")
        for info in runs:
            if info["status"] in GOING_ON:
                self.try_to("cancel", run=info["run"])
        return runs

    def kill_server(self) -> float:
        """Kill the server and bring it back; return the seconds until it answers."""
        with self.server:
            self.studio.kill()
            began = time.monotonic()
            self.studio.start()
            return time.monotonic() - began

    def kill_mongod(self) -> float:
        """Kill mongod; return the seconds until there is another."""
        file = self.workspace.database / "studio.json"
        pid = wait_until(lambda: (read_json(file) or {}).get("pid"), PATIENCE, "there is no mongod")
        with suppress(ProcessLookupError):  # it has just been ended
            os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda: (read_json(file) or {}).get("pid", pid) != pid, PATIENCE, "mongod did not come back")
        return time.monotonic() - began

    def kill_trainer(self, devices: int) -> float:
        """Start a run, or take the last up again, kill it or one of its processes; return the seconds until that is seen."""
        runs = self.cancel_runs()
        died = [info["run"] for info in runs if info["status"] == "died" and info["recipe"] == "2wayaug-pl"]
        if died and devices == 1:
            run = died[0]
            self.try_to("resume", run=run)
        else:
            run = self.ask("train", recipe="2wayaug-pl", overrides={**LONG, "compute.devices": devices})
        status = lambda: read_json(self.workspace.runs / f"{run:04d}" / "state.json") or {}  # noqa: E731
        wait_until(lambda: status().get("status") == "running", PATIENCE, f"run {run} did not begin")
        time.sleep(self.dice.random() * 8)
        trainer = psutil.Process(status()["pid"])
        self.dice.choice(trainer.parent().children() if devices > 1 else [trainer]).kill()
        began = time.monotonic()
        ended = lambda: next(i for i in self.ask("runs") if i["run"] == run)["status"] in ("died", "failed")  # noqa: E731
        wait_until(ended, PATIENCE, f"run {run} did not end")
        took = time.monotonic() - began
        if devices > 1 or self.dice.random() < 0.2:
            self.try_to("delete_run", run=run)
        return took

    def kill(self, kinds: list[tuple[str, Callable[[], float]]], rest_s: float) -> None:
        """Kill one after the other, with a pause of random length."""
        for name, strike in kinds:
            if self.is_over.wait(self.dice.random() * rest_s):
                return
            took = strike()
            self.kills[name] += 1
            self.back_s.setdefault(name, []).append(took)
            self.tell("killed", part=name, back_s=round(took, 2))

    # The two parts, and what is found in the end.

    def threads(self, *works: Callable[[], None]) -> list[threading.Thread]:
        """Start each in a thread; what fails is told and ends everything."""

        def run(work: Callable[[], None]) -> None:
            try:
                work()
            except Exception as error:  # told in the summary
                self.errors.append(f"{type(error).__name__}: {error}")
                self.tell("error", words=self.errors[-1])
                self.is_over.set()

        threads = [threading.Thread(target=run, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        return threads

    def watch(self, seconds: float) -> Iterator[float]:
        """Yield the server's memory in MiB every ten seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.is_over.wait(10):
            with self.server:
                assert self.studio.process is not None
                memory = psutil.Process(self.studio.process.pid).memory_info().rss / 2**20
            self.tell("memory", mib=round(memory))
            yield memory

    def found(self) -> dict[str, Any]:
        """Compare what was acknowledged with what is kept."""
        lines = list(read_journal(self.workspace.journal_file))
        times = Counter(line.id for line in lines)
        by_id = {line.id: line for line in lines}
        answers = dict(itertools.chain.from_iterable(person.acknowledged.items() for person in self.people))
        lost = [one for one in (*answers, *self.actions) if times[one] != 1 and not answers.get(one, {}).get("settled")]
        wrong = [
            one
            for one, said in answers.items()
            if one in by_id and [(c.image_id, c.class_name, c.after.state) for c in by_id[one].cells]
            != [(said["image"], said["name"], said["state"])]
        ]  # fmt: skip
        again = Ledger(self.truth, lines)
        return {
            "answers acknowledged": len(answers),
            "other actions acknowledged": dict(Counter(self.actions.values())),
            "refused": dict(self.refused),
            "lost or twice": len(lost),
            "written otherwise": len(wrong),
            "written twice": sum(count > 1 for count in times.values()),
            "known cells": int(np.count_nonzero(again.states)),
            "verify": {check.name: f"{check.verdict}: {check.found}" for check in verify(self.workspace)},
            "tracebacks printed": self.studio.printed().count("Traceback"),
        }


def soak(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Go through both parts; return the summary."""
    soak = Soak(folder, options.log, options.reviewers, options.seed)
    summary: dict[str, Any] = {"processors": os.cpu_count(), "reviewers": options.reviewers, "seed": options.seed}
    with soak.studio:
        soak.ask("choose_run", run=1)
        run = soak.ask("train", recipe="2wayaug-pl", overrides=LONG)
        soak.tell("begins")
        began = time.monotonic()
        work = soak.threads(*(lambda p=person: soak.review(p) for person in soak.people))
        memory = list(soak.watch(60 * options.calm_minutes))
        took = [ms for person in soak.people for ms in person.took]
        if took:
            p50, p95, p99 = np.percentile(took, [50, 95, 99])
            summary["calm"] = {"minutes": options.calm_minutes, "decisions": len(took), "retries": 0}
            summary["calm"] |= {"p50 (ms)": round(p50, 1), "p95 (ms)": round(p95, 1), "p99 (ms)": round(p99, 1)}
            summary["calm"] |= {
                "memory, first and last minute (MiB)": [round(np.mean(m)) for m in (memory[:6], memory[-6:])]
            }
            summary["calm"]["retries"] = sum(person.retries for person in soak.people)
            soak.tell("calm", **summary["calm"])
        soak.ask("cancel", run=run)
        first = [("server", soak.kill_server), ("mongod", soak.kill_mongod)]
        second = [("trainer", lambda: soak.kill_trainer(1)), ("one of two", lambda: soak.kill_trainer(2))]
        share = options.kills // 20  # a trainer takes long to get as far as training
        work += soak.threads(
            soak.keep,
            lambda: soak.kill(first * (9 * share), 2.0),
            lambda: soak.kill(second * share, 1.0),
        )
        for _ in soak.watch(60 * options.minutes - (time.monotonic() - began)):
            pass
        soak.is_over.set()
        for thread in work:
            thread.join(PATIENCE)
        soak.cancel_runs()
        summary["minutes"] = round((time.monotonic() - began) / 60, 1)
    summary["kills"] = dict(soak.kills) | {"in all": soak.kills.total()}
    summary["back after (s), median and most"] = {
        name: [round(statistics.median(took), 2), round(max(took), 2)] for name, took in soak.back_s.items()
    }
    summary |= soak.found() | {"errors": soak.errors}
    soak.tell("summary", **summary)
    return summary


def main() -> int:
    """Soak, print, and return whether anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--calm-minutes", type=float, default=10.0, help="of these, without kills")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--reviewers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the data set is made, which is left there")
    parser.add_argument("--log", type=Path, default=Path("soak.jsonl"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        summary = soak(options, options.folder or Path(temporary))
    print(json.dumps(summary, indent=1))
    return int(bool(summary["errors"] or summary["lost or twice"] or summary["written otherwise"]))


if __name__ == "__main__":
    sys.exit(main())
