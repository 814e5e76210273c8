"""History: who decided what, take any of it back, and the labels as they were at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import gradio as gr
import pandas as pd

from logicmix_studio.app.guarded import number_of
from logicmix_studio.app.page import QUICK, Page, any_of, person
from logicmix_studio.app.tabs.review_filters import arrival, is_arriving, is_meant, then_address
from logicmix_studio.app.tabs.review_stream import reversal_words
from logicmix_studio.errors import StudioError
from logicmix_studio.review.history import HistoryFilter

LINES: Final = 200
CELLS: Final = 500
"""Lines and cells that are shown at the most."""
NAMES: Final = ("who", "class_name", "origin")


def history_part(page: Page, tab: gr.Tab) -> None:
    """Lay the view out, then wire it."""
    studio = page.studio
    with gr.Row():
        who = gr.Dropdown([("Everybody", "")], value="", label="Who")
        name = gr.Dropdown([("All classes", "")], value="", label="Class")
        origin = gr.Dropdown([("Everywhere", "")], value="", label="Where")
        before = gr.Number(0, label="Before line (0: the newest)", precision=0, minimum=0)
    words = "Nothing is ever deleted; choose a line to see its cells or to revert it"
    lines = gr.Dataframe(label=words, interactive=False, max_height=420, elem_id="review-history")
    chosen = gr.State(0)
    with gr.Row(visible=False) as detail:
        with gr.Column(scale=4):
            cells = gr.Dataframe(label="Its cells", interactive=False, max_height=260, elem_id="review-history-cells")
        with gr.Column(scale=1, min_width=160):
            revert = gr.Button("Revert this line", variant="primary")
    with gr.Accordion("The labels at any time", open=False):
        with gr.Row():
            moment = gr.DateTime(label="As of", type="timestamp")
            show = gr.Button("Show")
        counts = gr.Dataframe(label="Cells then and now", interactive=False)
        changes = gr.Dataframe(label="What differs from now", interactive=False, max_height=320)

    def read(who: str, name: str, origin: str, before: float | None) -> pd.DataFrame:
        wanted = HistoryFilter(who, name, origin, before=int(before) if before else None)
        return for_people(studio.review.history(wanted, LINES))

    def begin(*wanted: Any) -> list[Any]:
        with studio.ledger.lock:
            people = sorted({line.who for line in studio.ledger.lines})
            origins = sorted({line.origin for line in studio.ledger.lines})
        options = [("Everybody", people), ("All classes", studio.class_names), ("Everywhere", origins)]
        return [*(gr.update(choices=any_of(*option)) for option in options), read(*wanted)]

    def look(target: dict[str, Any], came: float, *wanted: Any) -> list[Any]:
        return [gr.skip()] * 4 if is_arriving(target, "history", came) else begin(*wanted)

    def arrive(target: dict[str, Any]) -> list[Any]:
        if not is_meant(target, "history"):
            return [gr.skip()] * 5
        wanted = [str(target.get(name, "")) for name in NAMES]
        *boxes, lines = begin(*wanted, 0)
        return [target["at"], *(box | gr.update(value=value) for box, value in zip(boxes, wanted, strict=True)), lines]

    def choose(event_data: gr.SelectData) -> list[Any]:
        number = number_of(event_data)
        found = studio.review.cells_of_line(number)
        can_revert = studio.ledger.line(number).kind == "decide" and not studio.ledger.is_undone(number)
        button = gr.Button(f"Revert line {number}", interactive=can_revert)
        return [number, gr.Row(visible=True), found.head(CELLS), button]

    def take_back(request: gr.Request, number: int, *wanted: Any) -> list[Any]:
        found = studio.review.undo(person(studio, request), of=number)
        left = len(found.receipt.left_alone)
        gr.Info(reversal_words(found) + (f"; {left} cells that changed later stay as they are" if left else ""))
        return [read(*wanted), gr.Button(interactive=False)]

    def show_past(seconds: float | None) -> list[Any]:
        if not seconds:
            raise StudioError("no time is chosen", "choose a day and time first")
        past = studio.review.labels_at(datetime.fromtimestamp(seconds, UTC).isoformat())
        return [past.counts, past.changes.drop(columns="image_id").head(CELLS)]

    wanted, offers, came = [who, name, origin, before], [who, name, origin], arrival()
    asked = gr.on([box.input for box in wanted], read, wanted, lines, **QUICK)
    then_address(asked, "history", NAMES, offers)
    looked = tab.select(look, [page.targets["review"], came, *wanted], [*offers, lines], **QUICK)
    then_address(looked, "history", NAMES, offers)
    page.targets["review"].change(arrive, page.targets["review"], [came, *offers, lines], **QUICK)
    lines.select(choose, None, [chosen, detail, cells, revert], **QUICK)
    revert.click(take_back, [chosen, *wanted], [lines, revert], **QUICK)
    show.click(show_past, moment, [counts, changes], **QUICK)


def for_people(lines: pd.DataFrame) -> pd.DataFrame:
    """Return lines of the journal with times of this place and words for what is undone."""
    when = pd.to_datetime(lines["time"], format="ISO8601", utc=True)
    zone = datetime.now().astimezone().tzinfo
    shown = lines.assign(
        time=when.dt.tz_convert(zone).dt.strftime("%Y-%m-%d %H:%M:%S"),
        undone=lines["undone"].map({True: "undone", False: ""}),
        run=lines["run"].astype(object).where(lines["run"].notna(), ""),
    )
    return shown.drop(columns="revertible")
