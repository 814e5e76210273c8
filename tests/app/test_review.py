"""What a program can do in Review, and what the stream's script may call."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from logicmix_studio.app.blocks import build_blocks
from logicmix_studio.app.page import Page
from logicmix_studio.app.tabs.review_stream import card_functions
from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio

Functions = dict[str, Callable[..., Any]]


@pytest.fixture
def disputed(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio with a noisy run, which contradicts some known cells."""
    return open_studio(num_images=200, known_proportion=0.6, side=16, draw_every=200)


@pytest.fixture
def api(disputed: Studio) -> Functions:
    """Return what a program can call, by name."""
    blocks = build_blocks(disputed)
    return {one.api_name: one.fn for one in blocks.fns.values() if isinstance(one.api_name, str)}


def test_api__questions_are_answered_and_reverted(api: Functions, disputed: Studio) -> None:
    first, second = api["questions"](order="confident", scope="proposals", limit=2)["cells"]
    assert api["questions"](order="confident", scope="proposals", limit=2)["cells"] == [first, second]
    waiting = api["questions"](scope="proposals")["waiting"]
    api["decide"]([[first["image_id"], first["class_name"], first["claim"], "accept"]])
    assert api["questions"](scope="proposals")["waiting"] == waiting - 1
    (line,) = api["history"]()
    assert (line["line"], line["cells"], line["undone"]) == (1, 1, False)
    assert api["labels_at"](line["time"])["changed"] == 0
    (changed,) = api["labels_at"]("2001-01-01")["cells"]
    assert (changed["class"], changed["file"]) == (first["class_name"], first["file"])
    assert "path" not in changed  # Gradio's client would fetch the file that it names
    assert api["revert"](line=1)["of"] == 1
    assert [row["undone"] for row in api["history"]()] == [False, True]
    with pytest.raises(StudioError, match="undone already"):
        api["revert"](line=1)


def test_api__the_likeliest_page_is_answered_as_in_the_grid(api: Functions, disputed: Studio) -> None:
    page = api["likeliest"](limit=6)
    found = [[cell["image_id"], cell["class_name"], page["sign"]] for cell in page["cells"]]
    assert {name for _, name, _ in found} == {page["class_name"]}
    assert page["promise"] == pytest.approx(sum(cell["score"] for cell in page["cells"]))
    api["decide"]([[image, name, -1] for image, name, _ in found], origin="grid")
    run, column = disputed.proposed.choice()[0], disputed.class_names.index(page["class_name"])
    assert disputed.proposed.pages.correction(run or 0)[column] < 0.5
    assert not set(map(tuple, found)) & {
        (cell["image_id"], cell["class_name"], page["sign"]) for cell in api["likeliest"](limit=6)["cells"]
    }


def test_api__a_conflict_is_dismissed(api: Functions) -> None:
    found = api["conflicts"](limit=1)
    (conflict,) = found["cells"]
    api["dismiss_conflict"](conflict["image_id"], conflict["class_name"])
    assert api["conflicts"]()["waiting"] == found["waiting"] - 1


def test_api__everything_has_words_for_those_who_call_it(api: Functions) -> None:
    for name in ("questions", "likeliest", "conflicts", "dismiss_conflict", "history", "revert", "labels_at"):
        assert "Args:" in (api[name].__doc__ or "")


REQUEST = SimpleNamespace(headers={}, cookies={})


@pytest.fixture
def stream(studio: Studio) -> Functions:
    """Return what the script of the stream may call."""
    with gr.Blocks():
        page = Page(studio, gr.Tabs(), gr.JSON())
    return {one.__name__: one for one in card_functions(page, "stream")}


def ask(stream: Functions, **options: Any) -> dict[str, Any]:
    asked = {"filters": {"scope": "proposals"}, "want": 5, "have": [], "holder": "here", **options}
    found: dict[str, Any] = stream["next_cards"](asked, REQUEST)
    return found


def give(stream: Functions, card: dict[str, Any], answer: str, action: str) -> dict[str, Any]:
    said = {"name": card["name"], "image": card["image"], "state": card["claim"], "answer": answer}
    beside = {"id": action, "score": card["score"], "run": card["run"], "suggestion": "shown", "ms": 5}
    found: dict[str, Any] = stream["answer"]({**said, **beside}, REQUEST)
    return found


def test_stream__an_answer_undo_and_redo(stream: Functions, studio: Studio) -> None:
    card = ask(stream)["cards"][0]
    assert give(stream, card, "accept", "one") == {"settled": 0, "run": 1}
    assert studio.ledger.lines[0].extra == {"suggestion": "shown", "ms": 5}
    undone = stream["undo"]({"id": "two"}, REQUEST)
    assert (undone["cards"], undone["target"], undone["counts"]) == ([card], "one", True)
    redone = stream["redo"]({"id": "three", "target": "one"}, REQUEST)
    assert redone["cards"][0]["state"] == card["claim"]
    assert give(stream, card, "accept", "four")["settled"] == 1
    assert "nothing to redo" in stream["redo"]({"id": "five"}, REQUEST)["error"]


def test_stream__a_skip_is_no_answer_and_comes_again(stream: Functions) -> None:
    first = ask(stream)
    give(stream, first["cards"][0], "skip", "one")
    after = ask(stream)
    assert (after["total"], after["cards"][0]["cell"]) == (first["total"], first["cards"][1]["cell"])
    assert ask(stream, again=True)["cards"][0]["cell"] == first["cards"][0]["cell"]
    give(stream, first["cards"][0], "skip", "two")
    assert stream["undo"]({"id": "three"}, REQUEST)["counts"] is False


def test_stream__a_mistake_is_said_in_words(stream: Functions) -> None:
    assert "no order 'sideways'" in ask(stream, filters={"order": "sideways"})["error"]


def test_stream__an_empty_queue_says_why(stream: Functions) -> None:
    empty = ask(stream, filters={"scope": "unsure"})["empty"]
    assert empty["title"] == "Nothing waits with these filters"
    assert empty["steps"][0]["action"] == "clear"


def test_stream__another_window_gets_what_was_released(stream: Functions) -> None:
    mine = ask(stream)["cards"]
    assert not {card["cell"] for card in mine} & {card["cell"] for card in ask(stream, holder="there")["cards"]}
    for holder in ("here", "there"):
        stream["release"]({"holder": holder}, REQUEST)
    assert ask(stream, holder="third")["cards"] == mine
