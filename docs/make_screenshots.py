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
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser

from logicmix_studio.files import write_json
from logicmix_studio.images.demo import make_demo
from logicmix_studio.importing import store_tables
from logicmix_studio.review.audit import Scope
from logicmix_studio.store import Workspace, locate_workspace
from logicmix_studio.studio import Studio
from tests.launched import chromium
from tests.served import serving

FOLDER = Path(__file__).parent.parent / "assets" / "screenshots"
WIDTH, HEIGHT = 1280, 800
NUM_IMAGES = 600
PALETTE_SIZE = 256
EXACT_COLOURS = 96
"""The most frequent colours are kept as they are: they are the page's own."""
TOKENS = ("accent", "positive", "negative", "unknown", "pseudo", "positive-fill", "pseudo-fill")
"""Colours that mean something and are kept as they are, however small the mark."""
CELLS_A_ROUND = 120
ERROR_RATE = 0.03
POSITIVE_THRESHOLD = 0.7
"""A set this small makes few confident positives; a person would take more of them to review."""
DECISION_SECONDS = 2.1
ROUND_SECONDS = 150.0
"""Between the last answer of a round and the first of the next."""
PATIENCE_MS = 60_000
REST_MS = 3000
"""For what a tab fetches after its first frame, such as charts."""

TOKEN_COLOURS = """(names) => {
  const style = getComputedStyle(document.documentElement);
  const values = names.map((name) => style.getPropertyValue(`--lm-${name}`).trim());
  return values.filter((value) => /^#[0-9a-f]{6}$/i.test(value));
}"""


@dataclass(frozen=True)
class Shot:
    """One picture."""

    name: str
    query: str
    """The page's address."""
    ready: str
    """What must be on the page."""
    press: tuple[str, ...] = ()
    """Selectors that are clicked, one after the other."""
    schemes: tuple[str, ...] = ("light",)


SHOTS = (
    Shot("overview", "?tab=overview", "#tab-overview .list [role=row]", schemes=("light", "dark")),
    Shot("browse", "?tab=browse&class_name=zero&state=pseudo-positive", "#tab-browse .tile img"),
    Shot(
        "browse-image",
        "?tab=browse&class_name=zero&state=pseudo-positive",
        "#tab-browse .tile img",
        ("#tab-browse .tile",),
    ),
    Shot("blend", "?tab=blend", "#tab-blend tbody tr"),
    Shot("blend-methods", "?tab=blend", "#tab-blend tbody tr", ("role=tab[name='Other methods']",)),
    Shot("blend-statistics", "?tab=blend", "#tab-blend tbody tr", ("role=tab[name='1,000 blends']",)),
    Shot(
        "review", "?tab=review&scope=proposals", "#tab-review .stage[data-state=ready] img", schemes=("light", "dark")
    ),
    Shot("review-grid", "?tab=review&screen=grid", "#tab-review .tile img"),
    Shot("review-audit", "?tab=review&screen=audits", "#tab-review table"),
    Shot("label", "?tab=label", "#tab-label img", schemes=("light", "dark")),
    Shot("train", "?tab=train&run=2", "#tab-train table"),
    Shot("train-compare", "?tab=train&run=2", "#tab-train table", ("role=tab[name='Two runs']",)),
    Shot(
        "train-preview",
        "?tab=train&run=2",
        "#tab-train table",
        ("role=tab[name='What the next run would learn from']",),
    ),
)


def prepare(folder: Path, images: int) -> None:
    """Draw the demo and live through two rounds and an audit."""
    folder.mkdir(parents=True, exist_ok=True)
    made = make_demo(folder, num_images=images)
    workspace = locate_workspace(folder)
    store_tables(workspace, made.known, made.complete)
    with Studio.open(folder, who="ada") as studio:
        studio.train("fast")
        studio.bulk.set_threshold(POSITIVE_THRESHOLD, who="ada", sign=1)
        answer(studio, CELLS_A_ROUND)
        info = studio.train("fast", head__epochs=40)
        studio.registry.choose(info.run)  # so few answers make no difference that could be told
        audit(studio)
        answer(studio, CELLS_A_ROUND // 2)
    stretch_clock(workspace)


def answer(studio: Studio, count: int) -> None:
    """Answer pseudo-labels one by one: by the truth, with an error now and then."""
    assert studio.complete is not None, "the demo has no complete labels"
    random = np.random.default_rng(7)
    found = studio.proposals()
    for place in random.permutation(len(found))[:count]:
        one = found[place]
        row, column = studio.ledger.position(one.image_id, one.class_name)
        state = int(studio.complete[row, column]) * (-1 if random.random() < ERROR_RATE else 1)
        studio.decide(one.image_id, one.class_name, state, answer="accept" if state == one.value else "reject")


def audit(studio: Studio) -> None:
    """Draw an audit of the claims that a class is absent, and answer it."""
    assert studio.complete is not None
    made = studio.audits.start([Scope(-1)], who="ada", seed=3)
    for card in studio.audits.questions(made.number, want=10_000):
        row, column = studio.ledger.position(card.image_id, card.class_name)
        said = int(studio.complete[row, column])
        studio.audits.answer(made.number, card.image_id, card.class_name, said, who="ada")


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


def take(browser: Browser, url: str, shot: Shot, scheme: str) -> Path:
    """Take one picture and return its file."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme=scheme,  # type: ignore[arg-type]  # light or dark
        locale="en-GB",
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{url}{shot.query}")
        page.locator(shot.ready).first.wait_for()
        for selector in shot.press:
            page.locator(selector).first.click()
        page.wait_for_timeout(REST_MS)
        page.mouse.move(5, HEIGHT - 5)
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


def main() -> None:
    """Make the demo, live through two rounds, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("only", nargs="?", default="", help="begin of the names of the pictures to take")
    parser.add_argument("--images", type=int, default=NUM_IMAGES, help="scenes of the demo")
    parser.add_argument("--folder", type=Path, help="keep the demo here, and use it when it is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="logicmix-pictures-") as temporary:
        folder = options.folder or Path(temporary) / "demo"
        if not (folder / "ready").exists():
            prepare(folder, options.images)
            (folder / "ready").touch()
        with Studio.open(folder, who="ada") as studio, serving(studio) as url, chromium() as browser:
            for shot in SHOTS:
                for scheme in shot.schemes if shot.name.startswith(options.only) else ():
                    file = take(browser, url, shot, scheme)
                    sys.stdout.write(f"{file.relative_to(FOLDER.parent.parent)}: {file.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
