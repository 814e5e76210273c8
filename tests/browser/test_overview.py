from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from logicmix_studio.store import Decision
from tests.browser.checks import assert_accessible, keep_picture, wait_for_tab
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser


def test_it_says_what_is_known_and_what_to_do(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page], scheme: str
) -> None:
    served = serve_studio(trial=True, runs=2, known_proportion=0.6)
    row = int((served.studio.states[:, 0] == 0).nonzero()[0][0])
    served.studio.decide(served.studio.image_ids[row], "circle", 1)
    page = open_page(served.url, "#/overview", scheme=scheme)
    wait_for_tab(page, "overview")
    expect(page.locator(".lm-ov-big")).to_contain_text("of all cells are known")
    expect(page.locator(".lm-ov-truth")).to_contain_text("are right")
    expect(page.locator(".lm-ov-step .lm-button-primary")).to_be_visible()
    expect(page.locator(".lm-ov-table [role=row]")).to_have_count(7)
    expect(page.locator(".lm-ov-round")).to_have_count(2)
    expect(page.locator(".lm-ov-curve")).to_be_visible()
    expect(page.locator(".lm-ov-square")).to_have_count(36)
    assert_accessible(page)
    keep_picture(page, f"overview-{scheme}")


def test_it_follows_decisions_made_elsewhere(studio_page: Page, served: Served) -> None:
    page = studio_page
    before = page.locator(".lm-ov-legend b").first
    expect(before).to_be_visible()
    start = int(before.inner_text())
    studio = served.studio
    rows = (studio.states[:, 0] == 0).nonzero()[0][:3]
    studio.ledger.decide(
        [Decision(studio.image_ids[row], "circle", 1) for row in rows], who="grace", origin="python"
    )
    expect(before).to_have_text(str(start + len(rows)))


def test_classes_are_searched_and_sorted_in_the_address(studio_page: Page) -> None:
    page = studio_page
    wait_for_tab(page, "overview")
    page.get_by_role("columnheader", name="unknown").get_by_role("button").click()
    expect(page).to_have_url(re.compile("sort=unknown-down"))
    counts = page.locator(".lm-virtual-row > :last-child").all_inner_texts()
    assert [int(count) for count in counts] == sorted(map(int, counts), reverse=True)
    page.get_by_label("Find a class").fill("tri")
    expect(page.locator(".lm-virtual-row")).to_have_count(1)
    expect(page).to_have_url(re.compile("q=tri"))
    page.reload()
    expect(page.locator(".lm-virtual-row")).to_have_count(1)
    page.get_by_label("Find a class").fill("unicorn")
    expect(page.locator(".lm-empty").get_by_text("No class is called “unicorn”")).to_be_visible()


def test_a_thousand_classes_are_a_short_list(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve_studio(class_names=[f"class {i:04d}" for i in range(1000)], num_images=6, runs=0)
    page = open_page(served.url, "#/overview")
    expect(page.locator(".lm-virtual-row").first).to_be_visible()
    assert page.locator(".lm-virtual-row").count() < 60
    page.locator(".lm-ov-table .lm-virtual").evaluate("list => { list.scrollTop = list.scrollHeight; }")
    expect(page.get_by_text("class 0999", exact=True)).to_be_visible()


def test_the_next_step_leads_there(studio_page: Page) -> None:
    page = studio_page
    page.locator(".lm-ov-step .lm-button-primary").click()
    expect(page).not_to_have_url(re.compile("#/overview"))


@pytest.mark.parametrize(
    ("options", "overview", "browse", "train"),
    [
        (
            {"num_images": 0, "runs": 0},
            "There are no images here",
            "0 images",
            "There is no image to train on",
        ),
        ({"class_names": [], "runs": 0}, "There are no classes yet", "24 images", "nothing to learn from"),
        (
            {"num_images": 1, "class_names": ["only"], "runs": 0},
            "1 image × 1 class",
            "1 image",
            "nothing to learn from",
        ),
        ({"known_proportion": 0.0, "runs": 0}, "0 %of all cells", "24 images", "nothing to learn from"),
        ({"known_proportion": 1.0}, "Everything is known", "24 images", "100 % of the cells"),
    ],
    ids=["no image", "no class", "one cell", "all unknown", "all known"],
)
def test_odd_data_sets_are_shown_sensibly(
    serve_studio: Callable[..., Served],
    open_page: Callable[..., Page],
    options: dict[str, object],
    overview: str,
    browse: str,
    train: str,
) -> None:
    served = serve_studio(**options)
    page = open_page(served.url, "#/overview")
    wait_for_tab(page, "overview")
    expect(page.locator("#tab-overview")).to_contain_text(overview)
    expect(page.locator("#tab-overview").get_by_text("NaN")).to_have_count(0)
    expect(page.locator("#tab-overview [role=alert]")).to_have_count(0)
    page.click("[data-tab-id=browse]")
    wait_for_tab(page, "browse")
    expect(page.locator("#tab-browse [role=alert]")).to_have_count(0)
    expect(page.locator(".lm-br-count")).to_have_text(browse)
    page.click("[data-tab-id=train]")
    expect(page.locator(".lm-start")).to_contain_text(train)


def test_long_names_stay_within_the_page(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve_studio(class_names=["a" * 120, "b" * 120], paths=["c" * 90 + ".jpg"], num_images=1, runs=0)
    page = open_page(served.url, "#/overview")
    expect(page.locator(".lm-ov-step h2")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate(f"location.hash = '#/browse?image={served.studio.image_ids[0]}'")
    expect(page.locator(".lm-bi-history h3")).to_contain_text("History of")
    assert page.locator(".lm-bi-side").evaluate("side => side.scrollWidth <= side.clientWidth")
