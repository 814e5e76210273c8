"""One whole round with real parts: a launched studio, mongod, two trainings, a person at the keyboard, an export."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.studio import Studio
from tests.browser.checks import keep_picture, wait_for_tab
from tests.launched import LaunchedStudio, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

NUM_IMAGES = 120
RUN_SECONDS = 300.0
"""A quick round takes some ten seconds; the machine may be busy."""
MIRROR_SECONDS = 180.0
KEYS = "aararauaasra"
"""Accept, reject, unsure and skip, in the order in which they are pressed."""
SIGNS = {"The model thinks so": POSITIVE, "The model thinks not": NEGATIVE}

Cell = tuple[str, str]


@dataclass(frozen=True)
class Answer:
    """What was pressed at a card."""

    cell: Cell
    key: str
    claim: int
    """What the card said that the model claims."""

    @property
    def state(self) -> int:
        """The state that the answer gives an unknown cell."""
        return {"a": self.claim, "r": -self.claim}.get(self.key, UNKNOWN)


@dataclass(frozen=True)
class Labels:
    """The states of all cells at some moment."""

    states: dict[Cell, int]
    paths: dict[str, str]
    """The path of each image."""

    @classmethod
    def read(cls, folder: Path) -> Labels:
        """Read them from disk, as any other process would."""
        with Studio.open(folder, read_only=True) as opened:
            states = {
                (image, name): int(opened.states[row, column])
                for row, image in enumerate(opened.image_ids)
                for column, name in enumerate(opened.class_names)
            }
            return cls(states, dict(zip(opened.image_ids, opened.table.paths, strict=True)))

    def count(self, state: int) -> int:
        """Return how many cells are in a state."""
        return sum(found == state for found in self.states.values())


def test_a_round(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    folder = tmp_path / "demo"
    with LaunchedStudio.demo(folder, images=NUM_IMAGES) as studio:
        page = open_page(studio.url, "/#/overview")
        before = Labels.read(folder)
        see_states(page, before)
        train(page, studio, run=1)
        answers = review(page)
        assert len(answers) == len(KEYS) + 1
        settled = check_answers(before, Labels.read(folder), answers)
        train(page, studio, run=2)
        use_scores(page, studio, run=2)
        see_new_pseudo_labels(page, folder, settled)
        export(folder, tmp_path / "labels.csv", before, settled)
        wait_until(lambda: is_written(studio), MIRROR_SECONDS, f"not in the data set: {studio.pulse()['mirror']}")
        page.context.close()


def see_states(page: Page, labels: Labels) -> None:
    """Find today's counts in Overview and the marks of known cells in Browse."""
    wait_for_tab(page, "overview")
    summary = page.get_by_label("All cells")
    for state, word in ((POSITIVE, "positive"), (NEGATIVE, "negative"), (UNKNOWN, "unknown")):
        expect(summary).to_contain_text(re.compile(rf"{labels.count(state):,}\s*{word}"))
    page.get_by_role("tab", name="Browse").click()
    wait_for_tab(page, "browse")
    expect(page.locator(".lm-br-count")).to_contain_text(f"{NUM_IMAGES} images")
    expect(page.locator(".lm-br-tile .lm-br-mark-positive").first).to_be_visible()


def train(page: Page, studio: LaunchedStudio, *, run: int) -> None:
    """Press the button and watch the run until the page says that it has finished."""
    page.get_by_role("tab", name="Train").click()
    wait_for_tab(page, "train")
    page.get_by_role("button", name="Start training").click()
    card = page.locator(f'.lm-run[data-run="{run}"]')
    expect(card).to_be_visible()
    expect(card.locator(".lm-run-status")).to_have_text("finished", timeout=RUN_SECONDS * 1000)
    expect(page.locator(".lm-run-head h2")).to_have_text(f"Run {run}")
    expect(page.locator(".lm-run-tile").first).to_contain_text(re.compile(r"[01]\.\d{3}"))
    studio.wait_for_run(run, RUN_SECONDS)
    keep_picture(page, f"round-train-{run}")


def review(page: Page) -> list[Answer]:
    """Answer pseudo-labels by keyboard, take two answers back and give one of them otherwise."""
    page.get_by_role("tab", name="Review").click()
    wait_for_tab(page, "review")
    stream(page).get_by_label("Cells").select_option("proposals")
    stream(page).get_by_label("Order").select_option("confident")
    answers = [press(page, key) for key in KEYS]
    for taken_back in (answers.pop(), answers.pop()):
        page.keyboard.press("z")
        expect(stream(page)).to_have_attribute("data-cell", " ".join(taken_back.cell))
    answers += [press(page, key) for key in "uar"]
    expect(page.locator(".lm-outbox")).to_have_text("All answers saved", timeout=60_000)
    keep_picture(page, "round-review")
    return answers


def press(page: Page, key: str) -> Answer:
    """Answer the card on screen with a key, once its pseudo-label can be read."""
    chip = page.locator(".lm-screen-stream .lm-claim .lm-chip")
    expect(stream(page)).to_have_attribute("data-cell", re.compile("."))
    expect(chip).to_be_visible()
    text = stream(page).get_attribute("data-cell") or ""
    image, name = text.split(" ", 1)
    said = chip.inner_text()
    claim = next(sign for words, sign in SIGNS.items() if words in said)
    page.keyboard.press(key)
    expect(stream(page)).not_to_have_attribute("data-cell", text)
    return Answer((image, name), key, claim)


def stream(page: Page) -> Locator:
    """Return the part of the page that names its cell."""
    return page.locator("section.lm-screen-stream")


def check_answers(before: Labels, after: Labels, answers: list[Answer]) -> list[Answer]:
    """Compare the labels on disk with what was pressed; return the answers that settled a cell.

    A card whose cell was known before carried a planted suggestion: its answer is a note and changes nothing.
    """
    given = {answer.cell: answer for answer in answers if before.states[answer.cell] == UNKNOWN}
    expected = {**before.states, **{cell: answer.state for cell, answer in given.items()}}
    assert after.states == expected
    settled = [answer for answer in given.values() if answer.state != UNKNOWN]
    assert {answer.key for answer in settled} == {"a", "r"}
    return settled


def use_scores(page: Page, studio: LaunchedStudio, *, run: int) -> None:
    """Take a run's scores as the pseudo-labels where the studio prefers an earlier one."""
    if studio.pulse()["current_run"] != run:
        page.get_by_role("button", name="Use its scores").click()
    expect(page.locator(".lm-runs-why")).to_contain_text(f"The pseudo-labels come from run {run}")


def see_new_pseudo_labels(page: Page, folder: Path, settled: list[Answer]) -> None:
    """Find pseudo-labels of the second run, none of them on a cell that was settled, and what changed."""
    with Studio.open(folder, read_only=True) as opened:
        proposals = opened.proposals()
    assert proposals
    assert {proposal.run for proposal in proposals} == {2}
    assert not {(proposal.image_id, proposal.class_name) for proposal in proposals} & {a.cell for a in settled}
    page.get_by_role("tab", name="Review").click()
    page.get_by_role("button", name="What if").click()
    expect(page.get_by_role("heading", name="Run 2 against run 1")).to_be_visible()
    changed = page.locator(".lm-whatif-queue b").all_inner_texts()
    assert len(changed) == 3
    assert any(number != "0" for number in changed)


def export(folder: Path, file: Path, before: Labels, settled: list[Answer]) -> None:
    """Export by the command line while the studio is open, and compare each line."""
    command = [sys.executable, "-m", "logicmix_studio", "export", str(folder), str(file), "--json"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert json.loads(done.stdout)["file"] == str(file)
    expected = {
        (before.paths[image], name): (state, "imported")
        for (image, name), state in before.states.items()
        if state != UNKNOWN
    }
    for answer in settled:
        image, name = answer.cell
        source = "accepted" if answer.key == "a" else "human"
        expected[before.paths[image], name] = (answer.state, source)
    with file.open(newline="", encoding="utf-8") as opened:
        found = {
            (row["image"], row["class"]): (POSITIVE if row["value"] == "1" else NEGATIVE, row["source"])
            for row in csv.DictReader(opened)
        }
    assert found == expected


def is_written(studio: LaunchedStudio) -> bool:
    """Return whether the FiftyOne data set holds everything."""
    mirror = studio.pulse()["mirror"]
    return bool(mirror["state"] == "ready" and mirror["lag"] == 0 and mirror["fraction"] is None)
