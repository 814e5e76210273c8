"""Stream and Conflicts: one question at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import gradio as gr

from logicmix_studio.app.components import custom
from logicmix_studio.app.guarded import server_function
from logicmix_studio.app.media import media_url
from logicmix_studio.app.page import QUICK, TICK, Page, person
from logicmix_studio.app.tabs.review_filters import (
    DEFAULTS,
    arrival,
    filled,
    filter_row,
    is_arriving,
    is_meant,
    renewed,
)
from logicmix_studio.review.cards import Card, Provenance, Reversal
from logicmix_studio.review.queue_spec import QueueSpec
from logicmix_studio.store import Decision, Source
from logicmix_studio.studio import Studio
from logicmix_studio.words import counted

PARTS: Final = {
    "stream": ("order", "scope", "class_name", "sign", "band", "run", "split"),
    "conflicts": ("class_name", "sign"),
}
"""The filters of each view."""
LARGE_SIDE: Final = 2048
RUN_SECONDS: Final = 3.0
"""How often to look for a run that has finished."""
_SOURCES: Final = {
    Source.NOBODY: "nobody",
    Source.IMPORTED: "from the import",
    Source.HUMAN: "a person",
    Source.ACCEPTED: "an accepted pseudo-label",
}


def stream_part(page: Page, tab: gr.Tab, origin: str) -> None:
    """Lay out a view (``origin``: stream or conflicts), then wire it."""
    studio, names = page.studio, PARTS[origin]
    boxes = filter_row(studio, names)
    given = {name: DEFAULTS.get(name, "") for name in names}
    stream = review_stream(studio, origin, given, card_functions(page, origin))

    def show(*values: str) -> dict[str, Any]:
        asked = dict(zip(names, values, strict=True))
        chosen = {name: value for name, value in asked.items() if value != given[name]}
        return stream_value(studio, origin, asked, address={"screen": origin, **chosen})

    def arrive(target: dict[str, Any]) -> list[Any]:
        if not is_meant(target, origin):
            return [gr.skip()] * (len(names) + 2)
        values, updates = filled(studio, names, target)
        return [target["at"], *updates, show(*values)]

    def renew(target: dict[str, Any], came: float, *values: str) -> list[Any]:
        if is_arriving(target, origin, came):
            return [gr.skip()] * (len(names) + 1)
        return [*renewed(studio, names), {**show(*values), "at": time.time()}]

    def look() -> int:
        return studio.proposed.choice()[0] or 0

    def follow(event_data: gr.EventData, *values: str) -> dict[Any, Any]:
        step = event_data._data
        if step["action"] == "next_class":
            classes = studio.class_names
            following = classes[(classes.index(step["name"]) + 1) % len(classes) if step["name"] else 0]
            asked = dict(zip(names, values, strict=True))
            return page.go("review", **{**asked, "screen": origin, "class_name": following})
        if step["action"] == "clear":
            return page.go("review", screen=origin)
        return page.go(step["tab"] or "review", **step["filters"])

    run = gr.Number(look(), visible="hidden")  # updates of the filters themselves would close their lists
    came, looked_at = arrival(), [page.shown["review"].select, tab.select, run.change]
    gr.on([box.input for box in boxes], show, boxes, stream, **QUICK)
    page.targets["review"].change(arrive, page.targets["review"], [came, *boxes, stream], **QUICK)
    gr.on(looked_at, renew, [page.targets["review"], came, *boxes], [*boxes, stream], **QUICK)
    page.timer("review", RUN_SECONDS).tick(look, None, run, **TICK)
    stream.select(follow, boxes, page.way, **QUICK)


def review_stream(
    studio: Studio, origin: str, filters: dict[str, str], server_functions: list[Callable[..., Any]]
) -> gr.HTML:
    """Return the big question with its keys; its script asks the server for cards and sends the answers behind.

    Another value (see :func:`stream_value`) keeps the card on screen unless the filters have changed. Where the person
    wants to go on from an empty queue, or to the next class, it tells ``.select`` the step.

    Args:
        origin: stream, conflicts or audit.
        filters: What is asked, for next_cards.
        server_functions: next_cards, answer, undo, redo and release; each takes one dictionary.
    """
    value = stream_value(studio, origin, filters)
    return custom("review_stream", value, server_functions=server_functions, elem_id=f"review-{origin}")


def stream_value(studio: Studio, origin: str, filters: dict[str, str], **more: Any) -> dict[str, Any]:
    """Return what the script knows; ``store`` keeps the unsent answers of data sets apart.

    An ``address`` is what the page's address says of the view.
    """
    return {"origin": origin, "store": str(studio.workspace.root), "filters": filters, **more}


def card_functions(page: Page, origin: str) -> list[Callable[..., Any]]:
    """Return what the script of a view may call on the server."""
    studio = page.studio

    @server_function
    def next_cards(asked: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        who = person(studio, request)
        if asked.get("again"):
            studio.review.take_again(who)
        fixed = {"order": "conflicts", "scope": "conflict"} if origin == "conflicts" else {}
        spec = QueueSpec.of(**asked["filters"], **fixed)
        batch = studio.review.next_batch(spec, who=who, holder=asked["holder"], want=asked["want"], have=asked["have"])
        return {
            "cards": [card_facts(studio, card, origin) for card in batch.cards],
            "total": batch.total,
            "run": batch.run,
            "lost": batch.lost,
            "empty": batch.empty and asdict(batch.empty),
        }

    @server_function
    def answer(given: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        receipt = studio.ledger.decide(
            [Decision(given["image"], given["name"], given["state"], given["answer"], given["score"])],
            who=person(studio, request),
            origin=origin,
            action_id=given["id"],
            run=given["run"],
            extra={"suggestion": given["suggestion"], "ms": given["ms"]},
        )
        return {"settled": len(receipt.skipped), "run": studio.proposed.choice()[0]}

    @server_function
    def release(given: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        studio.review.release(person(studio, request), given["holder"])
        return {}

    return [next_cards, answer, *reversals(studio, lambda found: reversal_facts(studio, found, origin)), release]


def reversals(studio: Studio, facts: Callable[[Reversal], dict[str, Any]]) -> list[Callable[..., Any]]:
    """Return undo and redo for the script, which is told the facts of what was done."""

    def reversal(kind: str) -> Callable[..., Any]:
        def act(given: dict[str, Any], request: gr.Request) -> dict[str, Any]:
            reverse = getattr(studio.review, kind)
            return facts(reverse(person(studio, request), action_id=given["id"], target=given.get("target")))

        act.__name__ = kind  # what the script calls it
        return server_function(act)

    return [reversal("undo"), reversal("redo")]


def card_facts(studio: Studio, card: Card, origin: str = "stream") -> dict[str, Any]:
    """Return a card for the script; in Conflicts the claim is the opposite of what is known."""
    is_conflict = origin == "conflicts"
    known = studio.review.provenance(card.image_id, card.class_name) if is_conflict else None
    return {
        "cell": card.cell,
        "image": card.image_id,
        "file": card.path,
        "name": card.class_name,
        "state": card.state,
        "claim": -card.state if is_conflict else card.claim,
        "score": card.score,
        "run": card.run,
        "url": media_url(studio, card.image_id),
        "large": media_url(studio, card.image_id, LARGE_SIDE),
        "known": "" if known is None else who_says(known),
    }


def reversal_facts(studio: Studio, found: Reversal, origin: str) -> dict[str, Any]:
    """Return what an undo or a redo did, for the script."""
    line = found.receipt.line
    of = None if line is None or line.of is None else studio.ledger.line(line.of)
    is_one = line is not None and len(line.cells) == 1
    return {
        "cards": [card_facts(studio, card, origin) for card in found.cards] if is_one else [],
        "target": found.target,
        "origin": "" if line is None else line.origin,
        "counts": of is not None and of.cells[0].answer != "skip" if is_one else True,
        "words": reversal_words(found),
        "left_alone": len(found.receipt.left_alone),
        "run": studio.proposed.choice()[0],
    }


def reversal_words(found: Reversal) -> str:
    """Return what an undo or a redo did, in words."""
    line = found.receipt.line
    if line is None:
        return "Nothing had been written: there is nothing to undo"
    done = "Undone" if line.kind == "undo" else "Brought back"
    return f"{done}: line {line.of}, {counted(len(line.cells), 'cell')}, {line.origin}"


def who_says(known: Provenance) -> str:
    """Return where a known state comes from, in words."""
    line = known.line
    if line is None:
        return _SOURCES[known.source]
    when = datetime.fromisoformat(line.time).astimezone().strftime("%d %b %Y %H:%M")
    others = f", with {len(line.cells) - 1:,} others" if len(line.cells) > 1 else ""
    run = f", after run {line.run}" if line.run else ""
    return f"{line.who}, {when}, in {line.origin}{others}{run}"
