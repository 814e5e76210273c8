"""Audits: check a few claims blind, then accept many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import gradio as gr
import pandas as pd

from logicmix_studio.app.components import safe
from logicmix_studio.app.guarded import number_of, server_function
from logicmix_studio.app.page import QUICK, Page, person
from logicmix_studio.app.tabs.review_api import audits_api
from logicmix_studio.app.tabs.review_stream import card_facts, reversal_facts, reversals, review_stream, stream_value
from logicmix_studio.errors import StudioError
from logicmix_studio.labels import POSITIVE
from logicmix_studio.review.audit import CLAIM_WORDS, Scope
from logicmix_studio.review.audit_evidence import Known
from logicmix_studio.review.audit_service import AuditResult, blind
from logicmix_studio.review.cards import Reversal

SIGNS: Final = [("○ absent", -1), ("● present", 1), ("both, mixed", 0)]

LAST: Final = {
    "title": "That was the last one. Thank you.",
    "text": "",
    "steps": [{"label": "See what it says", "action": "leave"}],
}


def audits_part(page: Page, tab: gr.Tab) -> None:
    """Lay the view out, then wire it."""
    studio = page.studio
    chosen, line, expected = gr.State(0), gr.State(0), gr.State(0)
    with gr.Row() as home:
        with gr.Column(scale=2, min_width=300):
            gr.Markdown("### Before you start")
            sign = gr.Radio(SIGNS, value=-1, label="Which pseudo-labels")
            names = gr.Dropdown(multiselect=True, label="Classes", info="All where none is chosen.")
            target = gr.Slider(0.8, 0.99, 0.95, step=0.01, label="Right in at least")
            info = "From where on a score is a pseudo-label."
            above = gr.Slider(0.5, 1, 0.95, step=0.005, label="Threshold", info=info)
            plan = gr.HTML(elem_id="audit-plan")
            count = gr.Number(label="Answers of each sign", precision=0, minimum=1)
            start = gr.Button("Start an audit", variant="primary")
            with gr.Accordion("Do the scores mean what they say?", open=False):
                plot = gr.LinePlot(x="score", y="share", color="line", height=240, y_lim=[0, 1])
                scores_said = gr.Markdown()
        with gr.Column(scale=5, min_width=480):
            audits = gr.Dataframe(label="Audits", interactive=False, max_height=200, elem_id="audits")
            result = gr.Markdown(elem_id="audit-result")
            with gr.Row():
                go = gr.Button("Go on answering", variant="primary", visible=False)
                give_up = gr.Button("Give up", visible=False)
            gr.Markdown("### Accept many at once")
            by_class = gr.Dataframe(interactive=False, max_height=330, show_label=False, elem_id="audit-classes")
            accept = gr.Button("Accept …", elem_id="audit-accept")
            with gr.Group(visible=False) as confirming:
                words = gr.HTML(elem_id="audit-words", padding=True)
                reason = gr.Textbox(label="Why accept them without an audit? The journal will say so.")
                with gr.Row():
                    yes = gr.Button("Accept", variant="primary")
                    no = gr.Button("Not now")
            undo = gr.Button("Undo", visible=False)
    with gr.Column(visible=False) as answering:
        with gr.Row():
            heading = gr.Markdown()
            stop = gr.Button("Stop for now", scale=0, min_width=140)
        stream = review_stream(studio, "audit", {"audit": "0"}, audit_functions(page))
    audits_api(studio)
    asked = [sign, names, target]

    def scopes(sign: int, names: list[str] | None, target: float) -> list[Scope]:
        return [Scope(one, tuple(names or ()), None, target) for one in ([sign] if sign else [-1, 1])]

    def look(number: int, *values: Any) -> list[Any]:
        table, show = studio.audits.table(), status_shown(number)
        rows = gr.Dataframe(for_people(table), visible=not table.empty)
        try:
            found = [studio.audits.known(scope) for scope in scopes(*values)]
            classes = pd.concat([for_classes(studio.audits.by_class(scope), scope) for scope in scopes(*values)])
        except StudioError as error:
            words = safe(f"{error.what}: {error.hint}")
            return [gr.skip(), words, gr.skip(), None, "", rows, *show, None, gr.skip(), hide()]
        curve = studio.audits.reliability()
        ready = sum(known.covered for known in found if known.is_shown)
        label = f"Accept {ready:,} at once …" if ready else "Accept without an audit …"
        label = label if len(found) == 1 else "Choose one sign to accept"
        button = gr.Button(label, interactive=len(found) == 1, variant="primary" if ready else "secondary")
        return [
            min(known.threshold[0] for known in found),
            "".join(map(plan_words, found)),
            max(known.needed or 0 for known in found) or None,
            lines_of(curve),
            f"On {int(curve['cells'].sum()):,} known answers that training did not see.",
            *(rows, *show, classes, button, hide()),
        ]

    def status_shown(number: int) -> list[Any]:
        audit = next((one for one in studio.audits.table().itertuples() if one.audit == number), None)
        if audit is None:
            return ["", hide(), hide()]
        words = (
            f"Audit {number}: {audit.answered} of {audit.planned} answered. What it says is shown after the last "
            "one: the number was fixed beforehand, so nobody stops where it looks good."
        )
        if audit.status != "open":
            words = result_words(studio.audits.result(number))
        return [words, gr.Button(visible=audit.status != "finished"), gr.Button(visible=audit.status == "open")]

    def begin(request: gr.Request, count: float | None, *values: Any) -> list[Any]:
        each = None if count is None else int(count)
        return enter(studio.audits.start(scopes(*values), who=person(studio, request), count=each).number)

    def enter(number: int) -> list[Any]:
        value = stream_value(studio, "audit", {"audit": str(number)}, address={"screen": "audits"})
        head = f"### Audit {number}: {studio.audits.left(number)} photographs to check"
        return [number, gr.Row(visible=False), gr.Column(visible=True), head, value]

    def go_on(number: int, request: gr.Request) -> list[Any]:
        studio.audits.give_up(number, who=person(studio, request), given_up=False)
        return enter(number)

    def leave() -> list[Any]:
        return [gr.Row(visible=True), gr.Column(visible=False)]

    def end(number: int, request: gr.Request) -> None:
        studio.audits.give_up(number, who=person(studio, request))

    def move(value: float, sign: int, names: list[str] | None, request: gr.Request) -> None:
        for name in names or [""]:
            studio.bulk.set_threshold(value, who=person(studio, request), class_name=name, sign=sign)
        gr.Info(f"From {value:g} on a score is a pseudo-label; the history has a line of it")

    def ask(*values: Any) -> list[Any]:
        planned = studio.bulk.plan(scopes(*values)[0])
        button = gr.Button(f"Accept {len(planned.cells):,}")
        said = safe(f"This writes {planned.words}. It is one action, and one undo takes it back.")
        why = gr.Textbox("", visible=not planned.is_audited)
        return [gr.Group(visible=True), said, why, button, len(planned.cells)]

    def write(request: gr.Request, reason: str, expected: int, *values: Any) -> list[Any]:
        who = person(studio, request)
        receipt = studio.bulk.accept(scopes(*values)[0], expected=expected, who=who, reason=reason)
        if receipt.line is None:
            return [hide(), 0, hide()]
        written = f"{len(receipt.line.cells):,} answers"
        gr.Info(f"{written} written")
        return [hide(), receipt.line.seq, gr.Button(f"Undo: {written}", visible=True)]

    def take_back(seq: int, request: gr.Request) -> Any:
        studio.ledger.undo(person(studio, request), of=seq)
        return hide()

    told = [above, plan, count, plot, scores_said, audits]
    shown = [*told, result, go, give_up, by_class, accept, confirming]
    again = {"fn": look, "inputs": [chosen, *asked], "outputs": shown, **QUICK}
    entered = [chosen, home, answering, heading, stream]
    tab.select(lambda: gr.Dropdown(list(studio.class_names)), None, names, **QUICK)
    gr.on([tab.select, page.shown["review"].select, *(box.input for box in asked)], **again)
    above.release(move, [above, sign, names], None, **QUICK).then(**again)
    start.click(begin, [count, *asked], entered, **QUICK)
    audits.select(number_of, None, chosen, **QUICK).then(**again)
    go.click(go_on, chosen, entered, **QUICK)
    give_up.click(end, chosen, None, **QUICK).then(**again)
    gr.on([stop.click, stream.select], leave, None, [home, answering], **QUICK).then(**again)
    accept.click(ask, asked, [confirming, words, reason, yes, expected], **QUICK)
    no.click(hide, None, confirming, **QUICK)
    once = {**QUICK, "trigger_mode": "once"}
    yes.click(write, [reason, expected, *asked], [confirming, line, undo], **once).success(**again)
    undo.click(take_back, line, undo, **QUICK).success(**again)


def audit_functions(page: Page) -> list[Callable[..., Any]]:
    """Return what the script that asks the questions of an audit, blind, may call; ``filters`` hold its number."""
    studio = page.studio

    @server_function
    def next_cards(asked: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        number = int(asked["filters"]["audit"])
        cards = studio.audits.questions(number, asked["want"], asked["have"]) if number else []
        return {
            "cards": [card_facts(studio, card) for card in cards],
            "total": studio.audits.left(number) if number else 0,
            "empty": None if cards or not number else LAST,
            "run": None,
            "lost": [],
        }

    @server_function
    def answer(given: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        number, said = int(given["filters"]["audit"]), 0 if given["answer"] == "unsure" else given["state"]
        about = {"who": person(studio, request), "action_id": given["id"], "ms": given["ms"]}
        receipt = studio.audits.answer(number, given["image"], given["name"], said, **about)
        return {"settled": len(receipt.skipped), "run": None}

    def reversal(found: Reversal) -> dict[str, Any]:
        cards = [card_facts(studio, blind(card)) for card in found.cards[:1]]
        return {**reversal_facts(studio, found, "audit"), "run": None, "cards": cards}

    @server_function
    def release(given: dict[str, Any]) -> dict[str, Any]:
        return {}

    return [next_cards, answer, *reversals(studio, reversal), release]


def hide() -> Any:
    """Return an update that hides a component."""
    return gr.update(visible=False)


def plan_words(known: Known) -> str:
    """Return what more answers would unlock and what is known, as HTML."""
    to_do = f"<b>{safe(known.to_do[0].upper() + known.to_do[1:])}.</b>"
    worse = f" Look worse than the others and are left out: {safe(', '.join(known.worse))}." if known.worse else ""
    return f"<p>{to_do} So far: {safe(known.so_far)}.{worse}</p>"


def lines_of(curve: pd.DataFrame) -> pd.DataFrame:
    """Return a reliability curve and the line on which it would lie if scores were probabilities."""
    share = {"positive in reality": curve["observed"], "as the score says": curve["claimed"]}
    score = curve["claimed"]
    return pd.concat([pd.DataFrame({"score": score, "share": one, "line": name}) for name, one in share.items()])


def for_people(audits: pd.DataFrame) -> pd.DataFrame:
    """Return the list of audits as it is shown."""
    answered = [f"{one.answered} of {one.planned}" for one in audits.itertuples()]
    when = audits["time"].str.slice(0, 16).str.replace("T", " ")
    shown = audits.assign(answered=answered, time=when)
    return shown[["audit", "claims", "run", "answered", "status", "who", "time"]]


def for_classes(rows: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Return claims by class as they are shown, the most first."""
    mark = "●" if scope.sign == POSITIVE else "○"
    right = [f"{one.right} of {one.checked} right" if one.checked else "–" for one in rows.itertuples()]
    notes = ["looks worse, left out" if worse else "" for worse in rows["looks_worse"]]
    words = mark + " " + rows["class"] + f" {CLAIM_WORDS[scope.sign]}"
    shown = {"pseudo-label": words, "threshold": rows["threshold"], "claims": rows["claims"]}
    table = pd.DataFrame({**shown, "covered": rows["covered"], "checked": right, "note": notes})
    return table[table["claims"] > 0].sort_values("claims", ascending=False)


def result_words(result: AuditResult) -> str:
    """Return what an audit says, in words."""
    lines = [
        f"**{one.right} of {one.checked} “{CLAIM_WORDS[one.sign]}” claims were right**"
        f"{f', {one.unsure} unsure' if one.unsure else ''}: at least {one.lower_bound:.1%} of them are, "
        f"at a level of 95 % (two-sided {one.interval[0]:.1%} to {one.interval[1]:.1%})."
        for one in result.signs
    ]
    if not result.counts:
        why = "it was given up" if result.status == "given up" else "it was drawn by confidence band"
        lines.append(f"It is no evidence for accepting many: {why}.")
    return f"Audit {result.number} of run {result.run}. " + " ".join(lines)
