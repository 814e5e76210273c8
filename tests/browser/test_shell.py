from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import assert_accessible, keep_picture, wait_for_tab
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser

GRADIO_IS_READY = """async () => {
  while (!(await (await fetch('/api/session')).json()).gradio) await new Promise(done => setTimeout(done, 200));
}"""
TABS = ("overview", "browse", "blend", "review", "train")


def test_the_address_and_the_tabs_go_together(studio_page: Page) -> None:
    page = studio_page
    expect(page.locator("[data-tab-id=overview]")).to_have_attribute("aria-selected", "true")
    page.click("[data-tab-id=browse]")
    expect(page).to_have_url(re.compile("#/browse$"))
    expect(page.locator("#tab-browse")).to_be_visible()
    expect(page.locator("#tab-overview")).to_be_hidden()
    page.go_back()
    expect(page.locator("#tab-overview")).to_be_visible()
    page.keyboard.press("Tab")
    page.locator("[data-tab-id=overview]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-tab-id=browse]")).to_be_focused()
    expect(page.locator("#tab-browse")).to_be_visible()


def test_a_tab_is_left_and_found_again_as_it_was(studio_page: Page) -> None:
    page = studio_page
    page.goto(page.url.split("#")[0] + "#/browse?class=star&state=positive")
    wait_for_tab(page, "browse")
    page.click("[data-tab-id=overview]")
    page.click("[data-tab-id=browse]")
    expect(page).to_have_url(re.compile(r"#/browse\?class=star&state=positive$"))


def test_a_tab_that_did_not_arrive_can_be_asked_for_again(studio_page: Page) -> None:
    page = studio_page
    page.route("**/browse_grid.js", lambda route: route.abort())
    page.click("[data-tab-id=browse]")
    tab = page.locator("#tab-browse")
    expect(tab.get_by_role("alert")).to_contain_text("This tab could not be loaded")
    page.unroute("**/browse_grid.js")
    tab.get_by_role("button", name="Try again").click()
    expect(tab.locator(".lm-br-tile").first).to_be_visible()
    expect(tab.get_by_role("alert")).to_have_count(0)


def test_what_breaks_off_as_the_page_is_left_is_no_error(studio_page: Page) -> None:
    page = studio_page
    wait_for_tab(page, "overview")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    for address in ("**/browse.js", "**/api/session/pulse"):
        page.route(address, lambda route: route.abort())
    with (
        page.expect_event("requestfailed", lambda request: request.url.endswith("/browse.js")),
        page.expect_event("requestfailed", lambda request: request.url.endswith("/pulse")),
    ):
        page.click("[data-tab-id=browse]")
    assert page.locator("[role=alert], .lm-status-lost").count() == 0


def test_every_tab_is_drawn(open_page: Callable[..., Page], server_url: str, scheme: str) -> None:
    for name in TABS:
        page = open_page(server_url, f"#/{name}", scheme=scheme)
        wait_for_tab(page, name)
        assert page.locator(f'[data-lm-tab="{name}"] [role=alert]').count() == 0, name
        assert_accessible(page)


def test_gradio_takes_over_for_the_next_visitor(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve_studio(gradio=True)
    page = open_page(served.url)
    page.evaluate(GRADIO_IS_READY)
    page = open_page(served.url, "#/browse")
    expect(page.locator("gradio-app")).to_be_attached()
    wait_for_tab(page, "browse")
    expect(page.locator("[data-tab-id=browse][role=tab]")).to_have_attribute("aria-selected", "true")
    page.click("[data-tab-id=overview][role=tab]")
    wait_for_tab(page, "overview")
    expect(page).to_have_url(re.compile("#/overview$"))
    assert page.locator("footer:visible").count() == 0
    assert_accessible(page)
    keep_picture(page, "gradio-overview")


def test_settings_keep_the_name_and_the_keys(studio_page: Page, served: Served) -> None:
    page = studio_page
    page.click("[data-tab-id=browse]")
    wait_for_tab(page, "browse")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Your name").fill("Grace")
    page.get_by_role("button", name="Key for Undo").click()
    page.keyboard.press("q")
    assert_accessible(page)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".lm-toast")).to_contain_text("Settings saved")
    assert served.studio.settings.get("keys") == {"browse.undo": "q"}
    page.reload()
    expect(page.locator(".lm-person")).to_contain_text("Grace")


def test_help_lists_the_keys_of_the_tab(studio_page: Page) -> None:
    page = studio_page
    page.click("[data-tab-id=browse]")
    wait_for_tab(page, "browse")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys and help")
    expect(dialog).to_contain_text("Open the image")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_server_that_is_gone_is_said_to_be(studio_page: Page) -> None:
    page = studio_page
    wait_for_tab(page, "overview")
    page.route("**/api/session/pulse", lambda route: route.abort())
    expect(page.locator(".lm-status-lost")).to_be_visible()
    page.unroute("**/api/session/pulse")
    expect(page.locator(".lm-status-lost")).to_have_count(0)


def test_the_login_lets_in_and_decisions_carry_the_name(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page], scheme: str
) -> None:
    served = serve_studio(password="open sesame")
    page = open_page(served.url, scheme=scheme, until="form")
    expect(page).to_have_url(re.compile("/login$"))
    assert_accessible(page)
    keep_picture(page, f"login-{scheme}")
    page.get_by_label("Your name").fill("Grace")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not right")
    page.get_by_label("Password").fill("open sesame")
    page.get_by_role("button", name="Log in").click()
    wait_for_tab(page, "overview")
    page.goto(f"{served.url}#/browse?image={served.studio.image_ids[0]}")
    expect(page.locator(".lm-bi-active")).to_be_visible()
    page.keyboard.press("y")
    expect(page.locator(".lm-bi-history")).to_contain_text("Grace")
    assert served.studio.ledger.lines[-1].who == "Grace"
