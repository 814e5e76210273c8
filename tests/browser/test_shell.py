"""The frame around the tabs: header, address, keys, light and dark, login; and every tab on odd data sets."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.checks import TABS, assert_accessible, expect_tab, go_to_tab, keep_picture, look_at, wait_until_quiet
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser

ODD_NAMES = ("<b>bold</b>", "${alert(1)}", "🐈‍⬛ cat", "كلب", "`tick` \\n", "{{value}}")
ODD_FILES = [f"{'<i>' if i % 2 else '${x}'} שלום 🐕 {i}.jpg" for i in range(14)]
ODD_SETS: dict[str, dict[str, Any]] = {
    "names": {"class_names": ODD_NAMES, "paths": ODD_FILES, "num_images": 14, "trial": True},
    "one image": {"num_images": 1, "runs": 0},
    "one class": {"class_names": ["only"], "num_images": 12},
    "nothing known": {"known_proportion": 0.0, "runs": 0},
    "everything known": {"known_proportion": 1.0},
}


def test_the_address_leads_to_a_tab(open_page: Callable[..., Page], server_url: str) -> None:
    expect_tab(open_page(server_url, "?tab=blend"), "blend")
    expect_tab(open_page(server_url, "?tab=nonsense"), "overview")


def test_a_tab_that_is_pressed_while_the_page_loads_stays(open_page: Callable[..., Page], server_url: str) -> None:
    held: list[Route] = []
    is_loading = True

    def hold(route: Route) -> None:
        if is_loading:
            held.append(route)
        else:
            route.continue_()

    page = open_page(server_url)
    page.route("**/run/predict", hold)
    page.reload()
    page.wait_for_selector("#header .help")
    go_to_tab(page, "browse")
    is_loading = False
    for route in held:
        route.continue_()
    wait_until_quiet(page)
    expect_tab(page, "browse")
    assert "tab=browse" in page.url
    go_to_tab(page, "blend")
    expect(page).to_have_url(re.compile("tab=blend"))
    go_to_tab(page, "browse")
    expect(page).to_have_url(re.compile("tab=browse"))


@pytest.mark.parametrize("size", [(1400, 900), (1024, 768)])
def test_every_tab_is_drawn_and_accessible(
    open_page: Callable[..., Page], server_url: str, size: tuple[int, int]
) -> None:
    page = open_page(server_url, size=size)
    for name in TABS:
        go_to_tab(page, name)
        if name == "overview":  # Gradio's placeholder of a plot that waits for its first points bears a wrong label
            expect(page.locator("#tab-overview .unpadded_box.empty")).to_have_count(0)
        wait_until_quiet(page)
        look_at(page, f"{name}-{size[0]}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], f"{name} is {width} px wide"


@pytest.mark.parametrize("kind", ODD_SETS)
def test_every_tab_is_drawn_for_odd_data_sets(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page], kind: str
) -> None:
    served = serve_studio("odd <set>", **ODD_SETS[kind])
    page = open_page(served.url)
    for name in TABS:
        go_to_tab(page, name)
        wait_until_quiet(page)
        keep_picture(page, f"odd-{kind}-{name}")
        assert page.locator("b", has_text=re.compile("^bold$")).count() == 0
        assert page.locator(".error-container").count() == 0, f"a template of {name} broke"
    expect(page.locator("#header")).to_contain_text("odd <set>")


def test_light_and_dark_are_kept(open_page: Callable[..., Page], server_url: str) -> None:
    page = open_page(server_url)
    expect(page.locator("body")).not_to_have_class(re.compile("dark"))
    page.get_by_role("button", name="light or dark").click()
    expect(page.locator("body")).to_have_class(re.compile("dark"))
    page.reload()
    expect(page.locator("body")).to_have_class(re.compile("dark"))


def test_help_lists_every_key_and_changes_them_for_good(open_page: Callable[..., Page], server_url: str) -> None:
    page = open_page(server_url)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys and help")
    expect(dialog).to_contain_text("Confirm the rest of the page")
    assert_accessible(page)
    key = dialog.get_by_role("button", name="key for: Undo")
    key.click()
    page.keyboard.press("q")
    expect(key).to_have_text("Q")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.reload()
    page.wait_for_selector("#header .help")
    page.get_by_role("button", name="keys and help").click()
    expect(key).to_have_text("Q")
    dialog.get_by_role("button", name="Restore the defaults").click()
    expect(key).to_have_text("Z")


def test_a_person_can_say_who_they_are(open_page: Callable[..., Page], served: Served) -> None:
    page = open_page(served.url)
    page.once("dialog", lambda dialog: dialog.accept("Grace <i>H.</i>"))
    page.get_by_role("button", name="ada").click()
    expect(page.locator("#header .who")).to_have_text("Grace <i>H.</i>")


def test_the_login_lets_in_and_the_page_knows_the_name(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve_studio(users={"Grace": ("open sesame", "reviewer")})
    page = open_page(served.url, until="form")
    expect(page).to_have_url(re.compile("/login$"))
    look_at(page, "login")
    page.get_by_label("Your name").fill("Grace")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not right")
    page.get_by_label("Password").fill("open sesame")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#header .who")).to_have_text("Grace")
