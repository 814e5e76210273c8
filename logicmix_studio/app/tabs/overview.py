"""The overview tab: what is known, how it goes, what to do next."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import gradio as gr
import numpy as np
import pandas as pd

from logicmix_studio.app.api import offer
from logicmix_studio.app.components import custom, safe
from logicmix_studio.app.guarded import remembered
from logicmix_studio.app.page import QUICK, TICK, Page, owners_only, person
from logicmix_studio.explore.next_step import Step
from logicmix_studio.explore.overview import OverviewService, Rate
from logicmix_studio.formats import WRITE_FORMATS
from logicmix_studio.review.progress import Speed
from logicmix_studio.studio import Studio
from logicmix_studio.words import counted, duration

SECONDS: Final = 2.0
"""How often the tab looks whether anything has changed."""
RUNNERS_UP: Final = 3
SIZES: Final = (12, 20, 40)
"""How many classes the table of classes together may hold."""
RIGHT: Final = {"positives_right": "“yes” that are right", "negatives_right": "“no” that are right"}
PLACES: Final = {"test": "mAP, test", "held-out": "mAP, held-out"}
MEASURES: Final = {"known": "known", **PLACES, **RIGHT}
COLOURS: Final = dict(zip(MEASURES.values(), ("#5c6ada", "#b7791f", "#d3a35c", "#17998b", "#8595ae"), strict=True))
NOTHING: Final = Step("", "Nothing is left to do", "", "", "overview")
RECENT_CHANGES: Final = 5
RELOAD: Final = "() => setTimeout(() => location.reload(), 1500)"
"""Class pickers all over the page are stale: the message stays for a moment, then the page is loaded anew."""
AGAIN: Final = (
    "After photographs were added to the folder, read it again as it was read the first time. Answers stay: they win "
    "over what the files say."
)


def overview_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    studio = page.studio
    seen = gr.State({})
    steps = gr.State([])
    with gr.Row():
        with gr.Column(scale=7, min_width=480):
            bars = class_bars(elem_id="class-bars")
            with gr.Accordion("Classes together"):
                sizes = [(f"{size} most frequent", size) for size in SIZES]
                is_long = studio.table.num_classes > SIZES[0]
                top = gr.Dropdown(sizes, value=SIZES[1], label="Classes", visible=is_long)
                title = "How often is the class of a column there, where that of the row is?"
                together = gr.Dataframe(headers=["class"], label=title, interactive=False, buttons=[])
        with gr.Column(scale=3, min_width=300):
            with gr.Column(elem_classes=["lm-card", "lm-step"]):
                words = custom("next_step", {"title": "…", "reason": ""}, elem_id="next-step", elem_classes="lm-bare")
                with gr.Row():
                    first = gr.Button(variant="primary", size="md", scale=2, visible=False)
                    later = gr.Button("Not now", size="md", scale=1, min_width=90, visible=False)
                others = [gr.Button(size="sm", visible=False) for _ in range(RUNNERS_UP)]
                back = gr.Button("Bring back what was put off", size="sm", visible=False)
            plain = {"x_title": "", "y_title": "", "height": 200, "buttons": []}
            curve = gr.LinePlot(x="time", y="known", title="Known proportion over time", y_axis_format=".1%", **plain)
            pace = gr.Markdown()
            goal = gr.Slider(1, 100, 50, step=1, label="Goal: known cells in %", interactive=True)
            axes = {"x": "round", "y": "share", "color": "measure", "color_map": COLOURS, "y_axis_format": ".0%"}
            rounds = gr.LinePlot(title="Rounds", **axes, **plain)
    with gr.Accordion("Rounds"):
        table = gr.Dataframe(headers=["Round"], interactive=False, show_label=False, buttons=[])
    data_accordion(page)

    buttons = [first, *others]
    shown = [bars, curve, pace, goal, rounds, table, together, steps, words, later, back, *buttons]

    def look(before: dict[str, Any], size: int) -> list[Any]:
        """Show what has changed since the last look; leave the rest alone."""
        overview = studio.overview
        version = (id(overview), overview.version, size)
        if before.get("version") == version:
            return [gr.skip()] * (1 + len(shown))
        values = {
            "bars": bars_value(studio),
            "curve": curve_plot(overview.curve()),
            "pace": pace_words(overview.speed()),
            "goal": round(100 * overview.speed().goal),
            "rounds": rounds_plot(overview.rounds()),
            "table": rounds_table(overview.rounds()),
            "together": overview.together(size),
            "steps": (overview.next_steps(), bool(overview.put_off())),
        }
        texts = {name: value.to_csv() if hasattr(value, "to_csv") else repr(value) for name, value in values.items()}
        now = {name: hash(text) for name, text in texts.items()}
        new = {name: gr.skip() if before.get(name) == now[name] else values[name] for name in values}
        if new["together"] is values["together"]:
            new["together"] = together_table(values["together"])
        is_new = new.pop("steps") is values["steps"]
        advice = _advice(*values["steps"]) if is_new else [gr.skip()] * (len(shown) - len(new))
        return [{**now, "version": version}, *new.values(), *advice]

    def set_goal(percent: float) -> str:
        """Set the share of known cells that people aim at, in %; tell how long it takes."""
        studio.overview.set_goal(percent / 100)
        return pace_words(studio.overview.speed())

    def open_class(evt: gr.EventData) -> dict[Any, Any]:
        wanted = {name: evt._data[name] for name in ("class_name", "state") if evt._data[name]}
        return page.go("browse", **wanted)

    def lead(steps: list[Step], place: int) -> dict[Any, Any]:
        return page.go(remembered(steps)[place].tab, **steps[place].filters)

    def put_off(steps: list[Step]) -> None:
        studio.overview.put_off_step(remembered(steps)[0].key)

    looks = {"fn": look, "inputs": [seen, top], "outputs": [seen, *shown], **QUICK}
    gr.on([page.shown["overview"].select, top.change], **looks)
    page.timer("overview", SECONDS).tick(**{**looks, **TICK})
    bars.select(open_class, None, page.way, **QUICK)
    for place, button in enumerate(buttons):
        button.click(lambda steps, place=place: lead(steps, place), steps, page.way, **QUICK)
    later.click(put_off, steps, None, **QUICK).then(**looks)
    back.click(lambda: studio.overview.put_off_step(""), None, None, **QUICK).then(**looks)
    goal.release(set_goal, goal, pace, queue=False, show_progress="hidden", api_name="set_goal")

    def overview() -> dict[str, Any]:
        """Tell what is known: cells by state of every class, known and wrong, the pace and the way to the goal."""
        how, rates = studio.overview.errors()
        counts = studio.overview.counts()
        return {
            "images": studio.table.num_images,
            "known": counts.known,
            "pseudo_labels": counts.pseudo,
            "cells": counts.total,
            "classes": studio.overview.classes(),
            "expected_positives": studio.overview.expected_positives(),
            "wrong_by": how,
            "wrong": {name: rate._asdict() for name, rate in rates.items()},
            "pace": asdict(studio.overview.speed()),
        }

    def put_off_step(key: str) -> list[Step]:
        """Leave a step out until things have changed; an empty key brings all of them back. List the others.

        Args:
            key: The step's key.
        """
        studio.overview.put_off_step(key)
        return studio.overview.next_steps()

    offer(studio, overview, put_off_step, methods={"next_steps": "overview.next_steps"})


def data_accordion(page: Page) -> None:
    """Lay out the part of Overview that changes or leaves the data set, then wire it."""
    studio = page.studio
    with gr.Accordion("Data set: export, classes, import again", open=False, elem_id="data-set"), gr.Row():
        with gr.Column():
            files = [name for name, ending in WRITE_FORMATS.items() if ending]
            kind = gr.Radio(files, value=files[0], label="Export as")
            pseudo = gr.Checkbox(label="With open pseudo-labels, marked as such where the format can")
            harmless = gr.Checkbox(label="For spreadsheets: an apostrophe before names that look like formulas")
            export = gr.Button("Write the file", size="sm")
            lost = gr.Textbox(label="What the file does not hold", interactive=False, visible=False)
            file = gr.DownloadButton("Save", variant="primary", size="sm", visible=False)
        with gr.Column():
            new = gr.Textbox(label="New class, unknown everywhere", max_lines=1)
            add = gr.Button("Add the class", size="sm")
            old = gr.Dropdown(list(studio.class_names), value=None, label="Class to rename")
            other = gr.Textbox(label="Its new name", max_lines=1)
            rename = gr.Button("Rename the class", size="sm")
        with gr.Column():
            gr.Markdown(AGAIN)
            again = gr.Button("Import again", size="sm")
            told = gr.Textbox(label="What was done", interactive=False, lines=2)
            notes = gr.Textbox(label="About the import, and changes since", interactive=False, max_lines=12)

    @owners_only
    def write(kind: str, pseudo: bool, harmless: bool = False) -> list[Any]:
        """Write the labels to a file, and tell what its format does not hold.

        Args:
            kind: csv-long (one row a cell), csv-wide (one row an image), or another format of one file.
            pseudo: Whether to add the open pseudo-labels, marked as such where the format can.
            harmless: Whether names that a spreadsheet would run as formulas get an apostrophe, in CSV.
        """
        path = studio.workspace.temporary / "gradio" / "export" / f"{studio.name}-{kind}{WRITE_FORMATS.get(kind, '')}"
        path.parent.mkdir(parents=True, exist_ok=True)
        report = studio.export(path, kind, proposals=pseudo, harmless=harmless)
        words = "\n".join(report.lines) or "Nothing is lost."
        return [gr.update(value=str(path), visible=True), gr.update(value=words, visible=True)]

    @owners_only
    def add_class(name: str, request: gr.Request) -> str:
        """Add a class, unknown everywhere; tell what was done."""
        studio.add_class(name, who=person(studio, request))
        return changes(studio)[-1]

    @owners_only
    def rename_class(class_name: str, new_name: str, request: gr.Request) -> str:
        """Give a class another name; its labels, answers, scores and thresholds stay. Tell what was done."""
        studio.rename_class(class_name or "", new_name, who=person(studio, request))
        return changes(studio)[-1]

    @owners_only
    def import_again(request: gr.Request, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        """Read images and labels of the folder anew, as they were read the first time; tell what is new."""

        def show(done: int, total: int, what: str) -> None:
            progress((done, total), desc=what)

        studio.import_again(who=person(studio, request), progress=show)
        return changes(studio)[-1]

    def look() -> str:
        info = studio.info
        bad = [f"Left out: {image}" for image in info.get("bad_images", ())]
        warnings = [f"! {warning}" for warning in studio.warnings]
        return "\n".join([*warnings, *info.get("notes", ()), *bad, *changes(studio)[-RECENT_CHANGES:]])

    export.click(write, [kind, pseudo, harmless], [file, lost], api_name="export", concurrency_limit=None)
    for button, act, inputs in (
        (add, add_class, [new]),
        (rename, rename_class, [old, other]),
        (again, import_again, []),
    ):
        done = button.click(act, inputs, told, api_name=act.__name__)
        done.success(None, None, None, js=RELOAD, api_visibility="private")
    page.shown["overview"].select(look, None, notes, **QUICK)
    _keep_choices(studio, gr.context.Context.root_block)


def changes(studio: Studio) -> list[str]:
    """Return what people did to the data set, the oldest first, one line each."""
    return [
        f"{line.time[:16].replace('T', ' ')} {line.who} {line.note}"
        for line in studio.ledger.lines
        if line.kind == "note" and line.origin == "dataset"
    ]


def _keep_choices(studio: Studio, blocks: gr.Blocks) -> None:
    """Let every picker that offers all classes offer those of today when the data set is read anew."""
    offered = list(studio.class_names)

    def renew() -> None:
        nonlocal offered
        for block in blocks.blocks.values():
            choices = getattr(block, "choices", None) or []
            values = [value for _, value in choices]
            if set(offered) <= set(values):
                classes = [(name, name) for name in studio.class_names]
                first = values.index(offered[0]) if offered else len(values)
                others = [choice for choice in choices if choice[1] not in offered]
                block.choices = [*others[:first], *classes, *others[first:]]
        offered = list(studio.class_names)
        blocks.config = blocks.get_config_file()

    studio.on_reload(renew)


def pace_words(speed: Speed) -> str:
    """Return in words how fast people are and how long they need to the goal."""
    goal = f"{100 * speed.goal:.0f} % known"
    if speed.missing == 0:
        left = f"The goal of {goal} is reached."
    elif speed.seconds_left is None:
        left = f"{speed.missing:,} cells are missing to the goal of {goal}."
    else:
        left = f"At this rate {duration(speed.seconds_left)} of work to {goal}; pauses are left out."
    rate = f"**{speed.per_minute:.1f}** decisions a minute" if speed.per_minute else "No pace yet"
    each = f" of {speed.cells_per_decision:.1f} cells" if speed.cells_per_decision > 1.05 else ""
    return f"{rate}{each}. {left}"


def curve_plot(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the curve of known cells, beginning a little before the first decision and not at a distant import."""
    times = curve["time"].dt.tz_convert(None)
    if len(times) == 1:
        return pd.DataFrame({"time": [times[0], times[0] + pd.Timedelta(minutes=1)], "known": curve["known"].repeat(2)})
    span = max(0.1 * (times.iloc[-1] - times[1]), pd.Timedelta(minutes=1))
    return curve.assign(time=[max(times[0], times[1] - span), *times[1:]])


def rounds_plot(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of finished runs as ``round``, ``share`` and ``measure``, one row a point."""
    if rounds.empty:
        return pd.DataFrame({"round": [], "share": [], "measure": []})
    done = rounds[rounds["status"] == "finished"]
    maps = {place: done["map"].where(done["map_place"] == place) for place in PLACES}
    done = done.assign(**maps).rename(columns=MEASURES)
    done["round"] = done["run"].map(f"{{:0{len(str(done['run'].max()))}d}}".format)
    return done.melt("round", list(MEASURES.values()), "measure", "share").dropna(subset="share")


def rounds_table(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the runs in words, the newest first."""
    rows = [
        {
            "Round": one.name + (" ◐" if one.is_current else ""),
            "Status": one.status,
            "Began": f"{one.time:%Y-%m-%d %H:%M}",
            "Known": percent(one.known),
            "mAP": "–" if np.isnan(one.map) else f"{one.map:.3f}",
            "Measured on": one.measured or "–",
            "Answers after it": f"{one.answers:,}",
            "Accepted": _share(one.accepted, one.accepted + one.rejected),
            "True “yes”": _share(one.positives_right),
            "True “no”": _share(one.negatives_right),
        }
        for one in rounds[::-1].itertuples(index=False, name="Round")
    ]
    return pd.DataFrame(rows or [{"Round": "No run yet: a round is to label, to train, and to look at what comes."}])


def together_table(share: pd.DataFrame) -> Any:
    """Return the table of classes together, the more often the stronger the colour."""
    tint = "background-color: rgba(92, 106, 218, {:.2f})"
    table = share.map(lambda value: "·" if np.isnan(value) else f"{100 * value:.0f} %")
    tints = share.map(lambda value: "" if np.isnan(value) else tint.format(0.55 * value))
    table.insert(0, "class", share.index)
    tints.insert(0, "class", "")
    return table.style.apply(lambda _: tints, axis=None)


def _share(part: float, whole: float | None = None) -> str:
    if np.isnan(part) or whole == 0:
        return "–"
    return percent(part) if whole is None else f"{percent(part, whole)} of {whole:,}"


def _advice(steps: list[Step], is_put_off: bool) -> list[Any]:
    """Return what the card of the next step shows: the steps, its words and its buttons."""
    first, *others = steps or [NOTHING]
    others = others[:RUNNERS_UP]
    return [
        [first, *others],
        {"title": safe(first.title), "reason": safe(first.reason)},
        gr.update(visible=bool(steps)),
        gr.update(visible=is_put_off),
        gr.update(value=first.label, visible=bool(steps)),
        *(gr.update(value=step.title, visible=True) for step in others),
        *(gr.update(visible=False) for _ in range(RUNNERS_UP - len(others))),
    ]


def class_bars(**options: Any) -> gr.HTML:
    """Return the component; its script builds it, so names are never HTML.

    Listen with ``evt: gr.EventData`` to ``.select``: a class was clicked; ``evt._data`` is
    ``{"class_name", "state"}``, the state empty unless one of its numbers was clicked.
    """
    return custom("class_bars", elem_classes="lm-bare", **options)


def bars_value(studio: Studio) -> dict[str, Any]:
    """Return what the component shows of a data set."""
    overview, table = studio.overview, studio.table
    classes, counts = overview.classes(), overview.counts()
    up, down = int(counts.pseudo_positive.sum()), int(counts.pseudo_negative.sum())
    cells = {name: int(np.sum(getattr(counts, name))) for name in ("positive", "negative", "pseudo", "unknown")}
    words = {state: percent(count, counts.total) for state, count in cells.items()}
    words["pseudo"] = f"{up:,} positive, {down:,} negative" if up + down else "none open"
    if studio.proposed.choice()[0] is None:
        words["pseudo"] = "after the first run"
    return {
        "share": percent(counts.known, counts.total),
        "about": f"{counted(table.num_images, 'image')} × {counted(table.num_classes, 'class')}",
        "parts": [[state, count, words[state]] for state, count in cells.items()],
        "notes": list(filter(None, _notes(overview, cells, int(table.is_test.sum())))),
        "images": table.num_images,
        "classes": classes.drop(columns="known").to_numpy(dtype=object).tolist(),
    }


def percent(part: float, whole: float = 1.0) -> str:
    """Return a share in words.

    Example:
        >>> percent(1, 3), percent(0, 0)
        ('33.3 %', '0.0 %')
    """
    return f"{100 * part / whole if whole else 0:.1f} %"


def _notes(overview: OverviewService, cells: dict[str, int], num_test: int) -> tuple[str, ...]:
    """Return in words how far it is: positives found, what is wrong, and which images count."""
    known, expected = cells["positive"] + cells["negative"], overview.expected_positives()
    found = f"{counted(cells['positive'], 'positive')} found so far"
    if expected:
        found += f"; the model expects about {expected:,} more among the unknown cells"
    if known:
        found += f". {percent(cells['negative'], known)} of the known cells are “no”"
    how, rates = overview.errors()
    right = "Nobody knows yet how many pseudo-labels are wrong: an audit tells." if cells["pseudo"] else ""
    if how == "audits":
        right = f"Audits found {_wrong(rates, 'pseudo')} of the checked pseudo-labels of this run to be wrong."
    elif how == "truth":
        right = (
            f"The truth is known here (training never sees it). Wrong are {_wrong(rates, 'pseudo')} of the "
            f"pseudo-labels, and {_wrong(rates, 'known')} of the known cells."
        )
    test = f"All counts are of all images; the {num_test:,} of split test get no pseudo-labels and train nothing."
    return f"{found}.", right, test if num_test else ""


def _wrong(rates: dict[str, Rate], part: str) -> str:
    yes, no = rates[f"{part}_positive"], rates[f"{part}_negative"]
    return f"{percent(*yes)} of {yes.total:,} “yes” and {percent(*no)} of {no.total:,} “no”"
