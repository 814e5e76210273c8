"""The script that the components share, tried on an empty page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from logicmix_studio.environment import assets_folder

pytestmark = pytest.mark.browser
ADDRESS = "http://127.0.0.1:9/"
SCRIPT = (assets_folder() / "components" / "page" / "script.js").read_text(encoding="utf-8")
TABS = "<p role=tab aria-selected=true data-tab-id=browse></p><p role=tab data-tab-id=blend></p>"
HTML = f"<!doctype html><body>{TABS}<div id=place tabindex=0><button>B</button><input></div></body><script>{SCRIPT}</script>"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.route("**/*", lambda route: route.fulfill(body=HTML, content_type="text/html"))
    opened = context.new_page()
    opened.goto(ADDRESS)
    yield opened
    context.close()


def press(page: Page, key: str, code: str = "", **more: Any) -> None:
    """Dispatch a key on the document, as a layout with these letters would."""
    page.evaluate(
        "([key, code, more]) => document.body.dispatchEvent("
        "new KeyboardEvent('keydown', {key, code, bubbles: true, ...more}))",
        [key, code, more],
    )


LISTEN = """names => {
  window.heard = [];
  const actions = Object.fromEntries(names.map(name => [name, () => heard.push(name)]));
  lm.keys(document.querySelector('#place'), actions);
}"""


def test_el__keeps_text_as_text(page: Page) -> None:
    page.evaluate("document.body.append(lm.el('p', {class: 'new'}, '<b>bold</b>', [lm.el('i', {}, 'x'), null]))")
    expect(page.locator("p.new")).to_have_text("<b>bold</b>x")
    expect(page.locator("p.new b")).to_have_count(0)


def test_keys__are_heard_by_what_can_be_seen(page: Page) -> None:
    page.evaluate(LISTEN, ["yes", "undo"])
    press(page, "y")
    press(page, "Z")
    page.evaluate("document.querySelector('#place').hidden = true")
    press(page, "y")
    assert page.evaluate("heard") == ["yes", "undo"]


def test_keys__of_a_layout_without_latin_letters(page: Page) -> None:
    page.evaluate(LISTEN, ["yes", "no"])
    press(page, "н", "KeyY")
    press(page, "т", "KeyN")
    assert page.evaluate("heard") == ["yes", "no"]


def test_keys__of_a_layout_with_other_places_follow_the_letter(page: Page) -> None:
    page.evaluate(LISTEN, ["yes", "undo"])
    press(page, "z", "KeyY")  # QWERTZ
    assert page.evaluate("heard") == ["undo"]


def test_keys__rest_while_somebody_types_or_holds_control(page: Page) -> None:
    page.evaluate(LISTEN, ["yes", "open"])
    page.locator("input").focus()
    page.keyboard.press("y")
    page.locator("button").focus()
    page.keyboard.press("Enter")
    press(page, "y", ctrlKey=True)
    assert page.evaluate("heard") == []


def test_keys__repeat_only_where_they_move(page: Page) -> None:
    page.evaluate(LISTEN, ["yes", "next"])
    press(page, "y", repeat=True)
    press(page, "ArrowRight", repeat=True)
    assert page.evaluate("heard") == ["next"]


def test_bind__changes_a_key_everywhere_and_refuses_one_that_is_taken(page: Page) -> None:
    page.evaluate(LISTEN, ["yes"])
    page.evaluate("document.querySelector('#place').append(lm.el('kbd', {'data-key': 'yes'}))")
    assert page.evaluate("lm.bind('yes', 'n')") == "no"
    assert page.evaluate("lm.bind('yes', 'q')") is None
    expect(page.locator("kbd")).to_have_text("Q")
    press(page, "q")
    press(page, "y")
    assert page.evaluate("heard") == ["yes"]
    page.reload()
    assert page.evaluate("lm.keyOf('yes')") == "q"
    page.evaluate("lm.bind(null)")
    assert page.evaluate("lm.keyOf('yes')") == "y"


def test_actions__have_one_key_each(page: Page) -> None:
    keys = page.evaluate("Object.values(lm.ACTIONS).map(([key]) => key)")
    assert len(keys) == len(set(keys))


OUTBOX = """fail => {
  window.sent = []; window.ids = []; window.told = [];
  window.box = lm.outbox('set', async content => {
    sent.push(content.answer); ids.push(content.id);
    if (sent.length <= fail) throw new Error('offline');
    return content.answer === 'bad' ? {error: 'no', hint: 'do'} : {ok: true};
  }, (unsent, reply, error) => told.push([unsent, Boolean(reply), error && error.message]));
}"""


def test_outbox__sends_in_order_and_one_at_a_time(page: Page) -> None:
    page.evaluate(OUTBOX, 0)
    page.evaluate("for (const answer of ['a', 'b', 'c']) box.add({answer})")
    page.wait_for_function("box.unsent().length === 0")
    assert page.evaluate("sent") == ["a", "b", "c"]
    assert page.evaluate("Object.keys(localStorage)") == []


def test_outbox__tries_again_until_it_is_acknowledged(page: Page) -> None:
    page.evaluate(OUTBOX, 2)
    page.evaluate("box.add({answer: 'a'}); box.add({answer: 'b'})")
    page.wait_for_function("box.unsent().length === 0")
    assert page.evaluate("sent") == ["a", "a", "a", "b"]


def test_outbox__keeps_unsent_answers_over_a_reload_with_their_ids(page: Page) -> None:
    page.evaluate(OUTBOX, 10**6)
    number = page.evaluate("box.add({answer: 'a'})")
    page.wait_for_function("sent.length === 1")
    page.reload()
    page.evaluate(OUTBOX, 0)
    page.wait_for_function("sent.length === 1 && box.unsent().length === 0")
    assert page.evaluate("[sent, ids]") == [["a"], [number]]


def test_outbox__gives_up_what_the_server_refuses_and_says_so(page: Page) -> None:
    page.evaluate(OUTBOX, 0)
    page.evaluate("box.add({answer: 'bad'}); box.add({answer: 'good'})")
    page.wait_for_function("box.unsent().length === 0 && told.length >= 4")
    assert page.evaluate("told.filter(one => one[2]).map(one => one[2])") == ["no"]
    assert page.evaluate("sent") == ["bad", "good"]


def test_address__keeps_the_tab_and_what_is_chosen(page: Page) -> None:
    page.evaluate("lm.address('browse', {page: 1})")  # before the page has gone where its address says
    assert page.url == ADDRESS
    page.evaluate("lm.hasArrived = true")
    page.evaluate("lm.address('browse', {class_name: 'a&b', state: '', run: null, page: 2})")
    page.evaluate("lm.address('blend', {seed: 1})")  # not looked at
    assert page.url == f"{ADDRESS}?tab=browse&class_name=a%26b&page=2"
    page.evaluate(
        "for (const tab of document.querySelectorAll('[role=tab]')) tab.ariaSelected = tab.dataset.tabId === 'blend'"
    )
    page.evaluate("lm.address('blend')")
    assert page.url == f"{ADDRESS}?tab=blend&seed=1"


def test_say__goes_by_itself(page: Page) -> None:
    page.evaluate("lm.say('<b>saved</b>')")
    expect(page.get_by_role("status")).to_have_text("<b>saved</b>")
    expect(page.locator(".lm-message")).to_have_count(0)


@pytest.mark.parametrize(("path", "goes_on"), [("run/predict", True), ("queue/join", False)])
def test_calls_are_sent_one_by_one_where_an_earlier_one_might_answer_last(path: str, goes_on: bool, page: Page) -> None:
    sent: list[str] = []
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.context.route(f"**/{path}", hold)
    page.on("request", lambda request: sent.append(request.post_data or ""))
    body = "{method: 'POST', body: JSON.stringify({fn_index: event, number})}"
    call = f"([event, number]) => {{ fetch('/gradio_api/{path}', {body}).catch(() => null) }}"

    def fail(place: int) -> None:
        while len(held) <= place:
            page.wait_for_timeout(1)
        held[place].abort()

    def numbers() -> list[int]:
        return [json.loads(text)["number"] for text in sent]

    with page.expect_request(lambda request: "number" in (request.post_data or "")):
        page.evaluate(call, [0, 1])
    page.evaluate(call, [0, 2])
    if goes_on:  # another event's call waits for none of these
        with page.expect_request(lambda request: '"number":3' in (request.post_data or "")):
            page.evaluate(call, [7, 3])
    else:
        page.evaluate(call, [7, 3])
    assert numbers() == ([1, 3] if goes_on else [1])
    with page.expect_request(lambda request: '"number":2' in (request.post_data or "")):
        fail(0)  # also after one that failed
    if not goes_on:
        with page.expect_request(lambda request: '"number":3' in (request.post_data or "")):
            fail(1)
