from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import Client
from playwright.sync_api import Page, expect

from logicmix_studio.labels import UNKNOWN
from logicmix_studio.store import Decision
from tests.browser.checks import expect_tab, go_to_tab, look_at, wait_until_quiet
from tests.browser.conftest import Served
from tests.workspaces import draw_images

pytestmark = pytest.mark.browser
ODD = ("<b>bold</b>", "🦊 fox", "ثعلب", "${x}`", "a&b")


def rows(page: Page) -> list[str]:
    return page.locator("#class-bars .list .row .name").all_inner_texts()


def test_it_says_what_is_known_and_what_to_do(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve_studio(trial=True, runs=2, known_proportion=0.6)
    page = open_page(served.url)
    expect(page.locator("#class-bars")).to_contain_text("of all cells are known")
    expect(page.locator("#class-bars .notes")).to_contain_text("The truth is known here")
    expect(page.locator("#class-bars .notes")).to_contain_text("the 2 of split test")
    expect(page.locator("#class-bars .list .row")).to_have_count(6)
    expect(page.locator("#next-step h2")).not_to_have_text("…")
    expect(page.get_by_role("gridcell", name="run 2 ◐")).to_be_visible()
    # Gradio's placeholder of a plot that waits for its first points bears a wrong label.
    expect(page.locator("#tab-overview .unpadded_box.empty")).to_have_count(0)
    wait_until_quiet(page)
    look_at(page, "overview")


def test_charts_stay_as_they_are_while_another_tab_is_shown(served: Served, open_page: Callable[..., Page]) -> None:
    page = open_page(served.url)
    drawn = page.locator("#tab-overview .vega-embed canvas, #tab-overview .vega-embed svg").first
    expect(drawn).to_be_visible()
    drawn.evaluate("(node) => { window.drawn = node }")
    go_to_tab(page, "label")
    expect(page.locator("#tab-overview")).to_be_hidden()
    expect(drawn).to_be_hidden()
    go_to_tab(page, "overview")
    expect(drawn).to_be_visible()
    assert drawn.evaluate("(node) => node === window.drawn")


def test_it_follows_decisions_made_elsewhere(served: Served, open_page: Callable[..., Page]) -> None:
    page, studio = open_page(served.url), served.studio
    positives = page.locator("#class-bars .legend b").first
    expect(positives).to_have_text(str(int((studio.states == 1).sum())))
    open_rows = (studio.states[:, 0] == UNKNOWN).nonzero()[0][:3]
    studio.ledger.decide(
        [Decision(studio.image_ids[row], "circle", 1) for row in open_rows], who="grace", origin="python"
    )
    expect(positives).to_have_text(str(int((studio.states == 1).sum())))


def test_classes_are_searched_and_sorted_in_the_address(served: Served, open_page: Callable[..., Page]) -> None:
    page = open_page(served.url)
    expect(page.locator("#class-bars .list .row")).to_have_count(6)
    page.get_by_role("columnheader", name="unknown").get_by_role("button").click()
    expect(page).to_have_url(re.compile("sort=unknown-down"))
    counts = [int(text) for text in page.locator("#class-bars .list [data-state=unknown]").all_inner_texts()]
    assert counts == sorted(counts, reverse=True)
    page.keyboard.press("/")
    page.keyboard.type("tri")
    expect(page.locator("#class-bars .list .row")).to_have_count(1)
    expect(page).to_have_url(re.compile("q=tri"))
    page.reload()
    expect(page.locator("#class-bars .list .row")).to_have_count(1)
    page.get_by_label("Find a class").fill("unicorn")
    expect(page.locator("#class-bars .none")).to_have_text("No class is called “unicorn”.")


def test_a_click_on_a_class_or_a_step_leads_there(served: Served, open_page: Callable[..., Page]) -> None:
    page = open_page(served.url)
    page.locator("#class-bars .list").get_by_role("button", name="star", exact=True).click()
    expect_tab(page, "browse")
    go_to_tab(page, "overview")
    first = served.studio.overview.next_steps()[0]
    title = page.locator("#next-step h2")
    expect(title).to_have_text(first.title)
    page.get_by_role("button", name="Not now").click()
    expect(title).not_to_have_text(first.title)
    page.get_by_role("button", name="Bring back what was put off").click()
    expect(title).to_have_text(first.title)
    page.get_by_role("button", name=first.label).click()
    expect_tab(page, first.tab)


def test_a_thousand_classes_are_a_short_list(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve_studio(class_names=[f"class {i:04d}" for i in range(1000)], num_images=6, runs=0)
    page = open_page(served.url)
    expect(page.locator("#class-bars .count")).to_have_text("1,000")
    page.locator("#class-bars .list").evaluate("list => { list.scrollTop = list.scrollHeight; }")
    expect(page.get_by_role("button", name="class 0999", exact=True)).to_be_visible()
    assert page.locator("#class-bars .list .row").count() < 60


@pytest.mark.parametrize(
    ("options", "words", "step"),
    [
        (
            {"num_images": 1, "class_names": ["only"], "known_proportion": 0.0},
            "1 image × 1 class",
            "Label the first",
        ),
        ({"known_proportion": 0.0}, "0.0 %", "Label the first photographs"),
        ({"known_proportion": 1.0}, "100.0 %", "Everything is known"),
        ({"class_names": [], "num_images": 2}, "There are no classes yet", "Nothing is left to do"),
    ],
    ids=["one cell", "nothing known", "all known", "no class"],
)
def test_odd_data_sets(
    serve_studio: Callable[..., Served],
    open_page: Callable[..., Page],
    options: dict[str, object],
    words: str,
    step: str,
) -> None:
    page = open_page(serve_studio(runs=0, **options).url)
    expect(page.locator("#next-step h2")).to_contain_text(step)
    expect(page.locator("#class-bars")).to_contain_text(words)
    expect(page.locator("#tab-overview").get_by_text("NaN")).to_have_count(0)


@pytest.mark.parametrize("size", [(1400, 900), (1024, 768), (640, 800)])
def test_odd_and_long_names_stay_names_and_within_the_page(
    serve_studio: Callable[..., Served], open_page: Callable[..., Page], size: tuple[int, int]
) -> None:
    served = serve_studio(class_names=[*ODD, "a" * 120, "b" * 120], runs=0, known_proportion=0.0)
    served.studio.decide(served.studio.image_ids[0], "a" * 120, 1)
    served.studio.decide(served.studio.image_ids[0], "b" * 120, -1)
    page = open_page(served.url, size=size)
    expect(page.locator("#class-bars .list .row")).to_have_count(7)
    assert rows(page)[:5] == list(ODD)
    expect(page.locator("#next-step")).to_contain_text(ODD[0])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_export_classes_and_import_again(served: Served, open_page: Callable[..., Page], tmp_path: Path) -> None:
    page, studio = open_page(served.url), served.studio
    studio.decide(studio.image_ids[0], "circle", 1)
    data = page.locator("#data-set")

    def unfold() -> None:
        page.get_by_role("button", name="Data set: export").click()

    unfold()
    data.get_by_label("csv-wide").check()
    data.get_by_role("button", name="Write the file").click()
    expect(data.get_by_label("What the file does not hold")).to_have_value(re.compile("Who said so"))
    with page.expect_download() as download:
        data.get_by_role("button", name="Save").click()
    with Path(download.value.path()).open(newline="") as file:
        assert next(csv.reader(file)) == ["image", "split", *studio.class_names]

    data.get_by_label("New class").fill("oval")
    with page.expect_navigation():
        data.get_by_role("button", name="Add the class").click()
    expect(page.locator("#class-bars .count")).to_have_text("7")
    unfold()
    data.get_by_label("Class to rename").click()
    page.get_by_role("option", name="circle").click()
    data.get_by_label("Its new name").fill("<i>disc</i>")
    with page.expect_navigation():
        data.get_by_role("button", name="Rename the class").click()
    expect(page.locator("#class-bars .list .row .name").first).to_have_text("<i>disc</i>")
    assert studio.states[0, 0] == 1
    unfold()
    data.get_by_label("Class to rename").click()
    expect(page.get_by_role("option", name="oval")).to_be_visible()
    page.keyboard.press("Escape")
    data.get_by_label("New class").fill("circle")
    data.get_by_role("button", name="Add the class").click()
    expect(page.get_by_text("was the name of")).to_be_visible()

    draw_images(studio.workspace.root, ["new.jpg"], studio.states[:1], side=64)
    (studio.workspace.root / "classes.txt").write_text("\n".join(studio.class_names[1:6]) + "\ncircle\n")
    with page.expect_navigation():
        data.get_by_role("button", name="Import again", exact=True).click()
    expect(page.locator("#class-bars .about")).to_have_text("25 images × 7 classes")
    unfold()
    expect(data.get_by_label("About the import")).to_have_value(re.compile("imported again: New photographs: 1"))


def test_a_program_can_do_the_same(served: Served, tmp_path: Path) -> None:
    client = Client(served.url, verbose=False, download_files=tmp_path)
    facts = client.predict(api_name="/overview")
    assert facts["cells"] == 24 * 6
    assert [row["class_name"] for row in facts["classes"]] == list(served.studio.class_names)
    steps = client.predict(api_name="/next_steps")
    assert [step["key"] for step in steps] == [step.key for step in served.studio.overview.next_steps()]
    assert steps[0] not in client.predict(steps[0]["key"], api_name="/put_off_step")
    assert client.predict("", api_name="/put_off_step") == steps
    assert "90 % known" in client.predict(90, api_name="/set_goal")
    file, lost = client.predict("csv-long", True, api_name="/export")
    assert "pseudo" in Path(file["value"] if isinstance(file, dict) else file).read_text()
    assert lost
    assert "added the class 'oval'" in client.predict("oval", api_name="/add_class")
    assert "renamed the class 'oval' to 'egg'" in client.predict("oval", "egg", api_name="/rename_class")
    assert served.studio.class_names[-1] == "egg"
    (served.studio.workspace.root / "classes.txt").write_text("\n".join(served.studio.class_names))
    assert "imported again" in client.predict(api_name="/import_again")
