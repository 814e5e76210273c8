from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pandas as pd
import pytest

from logicmix_studio.app.access import PERSON_HEADER
from logicmix_studio.app.api import offer, plain
from logicmix_studio.errors import StudioError
from logicmix_studio.runs.compare import RunChange
from logicmix_studio.studio import Studio


def test_plain__dataclasses_come_with_what_they_say() -> None:
    assert plain(RunChange(1, 0, 0, 0, 1, 1, 0, None))["line"] == "+1 pseudo-label in 1 class"


def test_plain__what_json_cannot_hold_is_none() -> None:
    assert plain({"a": (1.5, float("nan"), float("inf"))}) == {"a": [1.5, None, None]}
    assert plain(pd.DataFrame({"n": pd.array([1, None], dtype="Int64")})) == [{"n": 1}, {"n": None}]


def test_plain__no_key_is_a_file_to_fetch() -> None:
    assert plain([{"path": "a.jpg"}]) == [{"file": "a.jpg"}]


def test_offer__the_caller_comes_from_the_request(studio: Studio) -> None:
    def greet(caller: str, word: str = "hello") -> dict[str, str]:
        """Greet."""
        if not word:
            raise StudioError("no word", "give one")
        return {"words": f"{word}, {caller}"}

    with gr.Blocks() as blocks:
        offer(studio, greet, methods={"names": "registry.choice"})
    (parameter,) = blocks.get_api_info()["named_endpoints"]["/greet"]["parameters"]
    assert (parameter["parameter_name"], parameter["parameter_default"]) == ("word", "hello")
    api: dict[str, Any] = {one.api_name: one.fn for one in blocks.fns.values()}
    ben: Any = SimpleNamespace(headers={PERSON_HEADER: "ben"}, cookies={})
    assert api["greet"]("good day", ben) == {"words": "good day, ben"}
    assert api["greet"]() == {"words": "hello, ada"}
    assert api["names"]()[0] == 1
    with pytest.raises(StudioError, match="no word"):
        api["greet"]("")
