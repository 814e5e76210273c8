"""The page as Gradio describes it: native parts in every tab, and a name for all that can be done."""

from __future__ import annotations

from typing import Any

import pytest

from logicmix_studio.app.blocks import build_blocks
from logicmix_studio.app.page import TAB_TITLES
from logicmix_studio.studio import Studio

ENDPOINTS = {
    "decide", "undo", "redo", "pseudo_labels", "state",
    "overview", "next_steps", "set_goal", "export", "add_class", "rename_class", "import_again",
    "find_images", "image", "similar_images", "cell_history", "set_cells", "open_in_fiftyone",
    "draw_blend", "make_blend", "blend_methods", "blend_scores", "blend_statistics",
    "questions", "conflicts", "dismiss_conflict", "history", "revert", "labels_at",
    "audit_plan", "start_audit", "audit_questions", "answer_audit", "audit_result", "give_up_audit",
    "set_threshold", "accept_plan", "accept_above",
    "label_queue", "label_image", "describe_class",
    "recipes", "expected_time", "train", "runs", "run", "pause", "cancel", "resume", "choose_run", "rename_run",
    "delete_run", "compare_runs", "readiness", "training_preview", "benchmark",
}  # fmt: skip
"""What a program can do; whatever a person can do is among it."""

NATIVE = {
    "overview": {"nativeplot", "dataframe", "button", "slider", "accordion", "downloadbutton"},
    "browse": {"dropdown", "radio", "textbox", "button", "accordion"},
    "blend": {"image", "gallery", "number", "slider", "button", "dataframe", "nativeplot"},
    "review": {"dropdown", "dataframe", "button"},
    "label": {"dropdown", "checkbox", "accordion"},
    "train": {"radio", "dataframe", "nativeplot", "button", "accordion"},
}
"""Components from the shelf that stand in each tab."""


@pytest.fixture
def config(studio: Studio) -> dict[str, Any]:
    described: dict[str, Any] = build_blocks(studio).get_config_file()
    return described


def below(node: dict[str, Any]) -> set[int]:
    """Return the ids of all components below a node of the layout."""
    return {node["id"]}.union(*(below(child) for child in node.get("children") or ()))


def test_every_tab_is_made_of_native_components(config: dict[str, Any]) -> None:
    kinds = {component["id"]: component["type"] for component in config["components"]}
    names = {component["id"]: component["props"].get("id") for component in config["components"]}

    def find(node: dict[str, Any]) -> list[dict[str, Any]]:
        here = [node] if kinds.get(node["id"]) == "tabitem" and names[node["id"]] in TAB_TITLES else []
        return here + [found for child in node.get("children") or () for found in find(child)]

    tabs = {names[node["id"]]: {kinds[number] for number in below(node)} for node in find(config["layout"])}
    assert list(tabs) == list(TAB_TITLES)
    for name, wanted in NATIVE.items():
        assert wanted <= tabs[name], f"{name} lacks {wanted - tabs[name]}"


def test_no_custom_component_is_a_subclass(config: dict[str, Any]) -> None:
    customs = [component for component in config["components"] if component["type"] == "html"]
    assert customs
    assert {component["props"]["component_class_name"] for component in customs} == {"HTML"}


def test_everything_that_can_be_done_has_a_name_and_words(studio: Studio) -> None:
    described = build_blocks(studio).get_api_info()["named_endpoints"]
    assert {name.removeprefix("/") for name in described} >= ENDPOINTS
    for name, endpoint in described.items():
        assert endpoint.get("description"), f"{name} has no docstring"
        assert not name.removeprefix("/").startswith(("lambda", "_")), name


def test_nothing_polls_before_a_tab_is_looked_at(config: dict[str, Any]) -> None:
    timers = [component["props"] for component in config["components"] if component["type"] == "timer"]
    assert timers
    assert sum(timer["active"] for timer in timers) == 1  # the header's, which is always visible
