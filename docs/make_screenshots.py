"""Make the pictures of ``assets/screenshots/`` from the demo set, with a real server, trainer and Chromium.

    python -m docs.make_screenshots            all of them, a few minutes
    python -m docs.make_screenshots review     only those whose name begins so

The demo is drawn in a temporary folder, answered by somebody who knows the truth but errs now and then, trained
twice and audited once. The same scenes and scores come out each time; only the clock times differ. This somebody
needs no time to look, so the clock is stretched afterwards to two seconds a decision, as a person takes.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from logicmix_studio.labels import POSITIVE
from logicmix_studio.store import Workspace, locate_workspace, write_json
from logicmix_studio.studio import Studio
from tests.launched import LaunchedStudio, action_id, chromium

FOLDER = Path(__file__).parent.parent / "assets" / "screenshots"
WIDTH, HEIGHT = 1280, 800
NUM_IMAGES = 600
PALETTE_SIZE = 256
EXACT_COLOURS = 96
"""The most frequent colours are kept as they are: they are the page's own."""
TOKENS = ("accent", "text", "positive", "negative", "unknown", "pseudo", "positive-fill", "pseudo-fill")
"""Colours that mean something and are kept as they are, however small the mark."""
MIN_BLEND = {"positive": 2, "negative": 1, "open": 3}
"""What the truth table of the drawn blend shows at least."""
SEEDS = range(526, 626)
GRID_TILES = 24
RUN_SECONDS = 600.0
CELLS_A_ROUND = 120
ERROR_RATE = 0.03
AUDIT_CELLS = 12
"""Cells of a band and sign."""
AUDITED = 0.6
"""Share of the audit that is answered."""
POSITIVE_THRESHOLD = 0.7
"""A set this small makes few confident positives; a person would take more of them to review."""
DECISION_SECONDS = 2.1
ROUND_SECONDS = 150.0
"""Between the last answer of a round and the first of the next."""

TOKEN_COLOURS = """(names) => {
  const style = getComputedStyle(document.documentElement);
  const values = names.map((name) => style.getPropertyValue(`--lm-${name}`).trim());
  return values.filter((value) => /^#[0-9a-f]{6}$/i.test(value));
}"""

TRUTH_OF = """async (cell) => {
  const [image, ...name] = cell.split(" ");
  const { cells } = await (await fetch(`/api/cells/image/${image}`)).json();
  return cells.find((one) => one.class === name.join(" ")).truth;
}"""

SETTLED = """() => {
  const root = document.querySelector(`[data-lm-tab="${document.documentElement.dataset.lmVisible}"]`);
  const isWaiting = [...document.querySelectorAll(".lm-skeleton, [aria-busy=true]")].some((node) => node.offsetParent);
  const isSeen = (box) => box.width && box.top < innerHeight && box.bottom > 0;
  const seen = [...document.images].filter((image) => isSeen(image.getBoundingClientRect()));
  return root && !isWaiting && seen.every((image) => image.complete && image.naturalWidth);
}"""
"""Whether the page has everything it was waiting for."""


def _nothing(page: Page) -> None:
    """Leave the page as it is."""


@dataclass(frozen=True)
class Shot:
    """One picture."""

    name: str
    address: str
    """Where it is; ``{seed}`` and ``{class_name}`` become a blend and a class that have something to show."""
    ready: str
    """What must be on the page."""
    prepare: Callable[[Page], None] = _nothing
    schemes: tuple[str, ...] = ("light",)


def _mark_tiles(page: Page) -> None:
    """Mark the tiles whose class is truly not there."""
    for tile in page.locator(".lm-tile").all():
        if page.evaluate(TRUTH_OF, tile.get_attribute("data-cell")) < 0:
            tile.click()
    page.mouse.move(5, HEIGHT - 5)


def _show_score(page: Page) -> None:
    """Show the pseudo-label with its score."""
    page.keyboard.press("p")
    page.locator(".lm-screen-stream .lm-score").wait_for()


def _open_first(page: Page) -> None:
    """Open the first image with a pseudo-label."""
    page.locator(".lm-br-tile").first.dblclick()
    page.locator("dialog.lm-bi").wait_for()
    page.locator(".lm-bi-similar img").first.wait_for()


SHOTS = (
    Shot("overview", "/overview", ".lm-ov-summary .lm-number", schemes=("light", "dark")),
    Shot("browse", "/browse?class=zero&state=pseudo-positive", ".lm-br-grid img"),
    Shot("browse-image", "/browse?class=zero&state=pseudo-positive", ".lm-br-grid img", _open_first),
    Shot("blend", "/blend?seed={seed}&k=2-3&probability=0.5", ".lm-truth tbody tr"),
    Shot("blend-methods", "/blend?seed={seed}&k=2-3&probability=0.5&panel=methods", ".lm-blend-panel"),
    Shot("blend-statistics", "/blend?seed={seed}&panel=statistics", ".lm-statistics-line"),
    Shot(
        "review",
        "/review?scope=proposals&order=uncertain",
        ".lm-screen-stream[data-cell]",
        _show_score,
        ("light", "dark"),
    ),
    Shot("review-grid", "/review?screen=grid&size=24&sign=1&class={class_name}", ".lm-tile img", _mark_tiles),
    Shot("review-audit", "/review?screen=audit&audit=1", ".lm-thresholds-table tbody tr"),
    Shot("review-what-if", "/review?screen=what-if", ".lm-whatif-table"),
    Shot("train", "/train?run=2", ".lm-run-tile"),
    Shot("train-compare", "/train?compare=1,2", ".lm-compare-table"),
)


class Answerer:
    """Somebody who looks at the truth and errs now and then."""

    def __init__(self, studio: LaunchedStudio) -> None:
        """Read the demo's complete labels."""
        self._studio = studio
        self._random = np.random.default_rng(7)
        with Studio.open(studio.folder, read_only=True) as opened:
            assert opened.complete is not None, "the demo has no complete labels"
            self._truth = {
                (image, name): int(opened.complete[row, column])
                for row, image in enumerate(opened.image_ids)
                for column, name in enumerate(opened.class_names)
            }

    def stream(self, query: dict[str, str], count: int) -> None:
        """Answer cells of a queue one by one, as the page does."""
        body = {"query": query, "want": count, "holder": "screenshots"}
        for item in self._studio.post("/api/review/queue", body)["items"]:
            state = self._say(item["image"], item["class"])
            answer = "set" if not item["claim"] else "accept" if state == item["claim"] else "reject"
            cell = [item["image"], item["class"], state, answer, item["score"]]
            asked = {"id": action_id(), "origin": "stream", "cells": [cell], "run": item["run"], "ms": 1900}
            self._studio.post("/api/review/answer", asked)

    def audit(self, per_stratum: int, share: float) -> None:
        """Draw an audit and answer a share of it."""
        asked = {"id": action_id(), "per_stratum": per_stratum, "lowest_confidence": 0.7, "seed": 3}
        made = self._studio.post("/api/review/audits", asked)
        path = f"/api/review/audits/{made['number']}"
        items = self._studio.post(f"{path}/items", {"want": round(made["total"] * share)})["items"]
        for item in items:
            said = self._truth[item["image"], item["class"]]
            self._studio.post(f"{path}/answer", {"id": action_id(), "place": item["cell"], "said": said, "ms": 1700})

    def _say(self, image: str, class_name: str) -> int:
        truth = self._truth[image, class_name]
        return -truth if self._random.random() < ERROR_RATE else truth


def prepare_rounds(studio: LaunchedStudio) -> None:
    """Train, answer, train again, audit, answer: what a first hour in the studio leaves behind."""
    person = Answerer(studio)
    first = studio.train("quick", RUN_SECONDS, name="first look")
    person.stream({"order": "uncertain"}, CELLS_A_ROUND)
    person.stream({"order": "confident"}, CELLS_A_ROUND)
    names = studio.get("/api/session")["class_names"]
    groups = [{"class_name": name, "sign": 1, "threshold": POSITIVE_THRESHOLD} for name in names]
    studio.post("/api/review/thresholds", {"groups": groups})
    settings = {"head.learning_rate": 0.001}
    second = studio.train("quick", RUN_SECONDS, name="faster head", overrides=settings)
    studio.post(f"/api/train/runs/{second}/meta", {"star": True})
    person.audit(AUDIT_CELLS, AUDITED)
    person.stream({"order": "useful"}, CELLS_A_ROUND // 3)
    say(f"runs {first} and {second} are trained")


def stretch_clock(workspace: Workspace) -> None:
    """Rewrite the journal's times as if each decision had taken a person's time, the last one just now."""
    lines = [json.loads(line) for line in workspace.journal_file.read_text(encoding="utf-8").splitlines()]
    configs = sorted(workspace.runs.glob("*/config.json"))
    moments = [(_seconds(line["time"]), place) for place, line in enumerate(lines)]
    moments += [(config.stat().st_mtime, -1 - number) for number, config in enumerate(configs)]
    clock, stretched = 0.0, {}
    for _, key in sorted(moments):
        clock += DECISION_SECONDS if key >= 0 else ROUND_SECONDS / 2
        stretched[key] = clock
        clock += 0 if key >= 0 else ROUND_SECONDS / 2
    shift = time.time() - clock
    for place, line in enumerate(lines):
        line["time"] = _iso(stretched[place] + shift)
    for number, config in enumerate(configs):
        os.utime(config, (stretched[-1 - number] + shift,) * 2)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    workspace.journal_file.write_text(text, encoding="utf-8")
    (workspace.folder / "arrays.npz").unlink(missing_ok=True)
    write_json(workspace.info_file, {**workspace.info(), "created": _iso(shift)})


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def telling_seed(studio: LaunchedStudio) -> int:
    """Return the first seed whose blend has positive, negative and open classes."""
    for seed in SEEDS:
        blend = studio.get("/api/blend/draw", seed=seed, k_min=2, k_max=3, blends_only=True)
        is_right = all(row["result"] in (0, row["truth"]) for row in blend["rows"])
        if is_right and all(blend["counts"][kind] >= least for kind, least in MIN_BLEND.items()):
            return int(blend["seed"])
    return SEEDS.start


def telling_class(folder: Path) -> str:
    """Return the class of which most pseudo-labels say wrongly that it is there, a page of them at least."""
    with Studio.open(folder, read_only=True) as studio:
        assert studio.complete is not None, "the demo has no complete labels"
        is_claimed = studio.proposals_array() == POSITIVE
        wrong = np.count_nonzero(is_claimed & (studio.complete != POSITIVE), axis=0)
        fills_page = np.count_nonzero(is_claimed, axis=0) >= GRID_TILES
        return studio.class_names[int(np.argmax(np.where(fills_page, wrong, -1)))]


def take(browser: Browser, url: str, shot: Shot, scheme: str, places: dict[str, Any]) -> Path:
    """Take one picture and return its file."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme=scheme,  # type: ignore[arg-type]  # light or dark
        locale="en-GB",
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        page.goto(f"{url}/#{shot.address.format(**places)}")
        page.locator(shot.ready).first.wait_for(timeout=60_000)
        page.wait_for_function(SETTLED, timeout=60_000)
        shot.prepare(page)
        page.wait_for_function(SETTLED, timeout=60_000)
        tokens = page.evaluate(TOKEN_COLOURS, TOKENS)
        return save(page.screenshot(animations="disabled"), tokens, FOLDER / f"{shot.name}-{scheme}.png")
    finally:
        context.close()


def save(png: bytes, tokens: Sequence[str], file: Path) -> Path:
    """Write a picture with a palette of its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with_palette(Image.open(io.BytesIO(png)).convert("RGB"), tokens).save(file, optimize=True)
    return file


def with_palette(picture: Image.Image, tokens: Sequence[str]) -> Image.Image:
    """Return a picture of 256 colours: tokens and the most frequent ones exact, a median cut of the others.

    Args:
        picture: In RGB.
        tokens: Colours as ``#rrggbb``.
    """
    pixels = np.asarray(picture)
    codes = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    found, counts = np.unique(codes, return_counts=True)
    frequent = found[np.argsort(-counts, kind="stable")[:EXACT_COLOURS]]
    exact = np.unique([*(int(token[1:], 16) for token in tokens), *frequent.tolist()])
    colours = [value for code in exact.tolist() for value in code.to_bytes(3, "big")]
    is_other = ~np.isin(codes, exact)
    indices = np.searchsorted(exact, codes).astype(np.uint8)
    if is_other.any():
        others = Image.fromarray(pixels[is_other][None])
        cut = others.quantize(PALETTE_SIZE - len(exact), method=Image.Quantize.MEDIANCUT)
        indices[is_other] = len(exact) + np.asarray(cut)[0]
        colours += cut.getpalette() or []
    small = Image.frombytes("P", picture.size, indices.tobytes())
    small.putpalette(colours[: 3 * PALETTE_SIZE])
    return small


def say(words: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{words}\n")


def main() -> None:
    """Make the demo, live through two rounds, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("only", nargs="?", default="", help="begin of the names of the pictures to take")
    parser.add_argument("--images", type=int, default=NUM_IMAGES, help="scenes of the demo")
    parser.add_argument("--folder", type=Path, help="keep the demo here, and use it when it is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="logicmix-pictures-") as temporary:
        folder = options.folder or Path(temporary) / "demo"
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not (folder / "ready").exists():
            with LaunchedStudio.demo(folder, images=options.images) as studio:
                prepare_rounds(studio)
            stretch_clock(locate_workspace(folder))
            (folder / "ready").touch()
        with LaunchedStudio.demo(folder, images=options.images) as studio, chromium() as browser:
            places = {"seed": telling_seed(studio), "class_name": telling_class(folder)}
            for shot in SHOTS:
                for scheme in shot.schemes if shot.name.startswith(options.only) else ():
                    file = take(browser, studio.url, shot, scheme, places)
                    say(f"{file.relative_to(FOLDER.parent.parent)}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
