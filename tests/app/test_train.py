from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from gradio_client import Client

from logicmix_studio.app.blocks import build_blocks
from logicmix_studio.app.tabs.train import METHODS
from logicmix_studio.files import write_json
from logicmix_studio.runs import Jobs
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import describe
from tests.served import serving

PATIENCE_S = 60.0


@pytest.fixture
def two_runs(open_studio: Callable[..., Studio]) -> Studio:
    return open_studio("two", runs=2)


@pytest.fixture
def client(two_runs: Studio) -> Iterator[Client]:
    """A program at a served studio."""
    with serving(two_runs) as url:
        yield Client(url, verbose=False, httpx_kwargs={"timeout": PATIENCE_S})


def test_a_program_does_what_the_tab_does(client: Client, two_runs: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Jobs, "start", lambda self, run: self.info(run))
    fast = client.predict(api_name="/recipes")[0]
    assert (fast["name"], fast["title"], len(fast["settings"])) == ("quick", "fast", len(describe("fast")))
    assert client.predict("fast", {"backbone.image_size": 96}, api_name="/expected_time")["changed"] == 1
    assert client.predict(api_name="/training_preview")["table"][0]["class"] == "circle"
    assert client.predict(api_name="/readiness")["is_ready"] is True
    assert client.predict(api_name="/benchmark") is None
    measured = {"method": "quick", "words": "a linear head", "recipe": "quick", "known_proportion": 0.1, "seeds": 1}
    measured |= {"map": 0.5, "low": None, "high": None, "behind": 0.0, "behind_low": None}
    write_json(two_runs.workspace.benchmark_file, {"made": "2026-11-27", "settings": {}, "rows": [measured]})
    assert client.predict(api_name="/benchmark")["table"][0]["mAP % (95 %)"] == "50.0 (one seed)"
    run = client.predict("thorough", {"schedule.epochs": 3}, 1, 7, "<b>warm</b>", "try", api_name="/train")
    assert run == 3
    config = two_runs.runs.settings(3).set_index("setting")["value"]
    assert (config["Schedule: epochs"], config["seed"], config["started from"]) == ("3", "7", "run 1")
    said = client.predict(3, api_name="/run")
    assert (said["info"]["name"], said["info"]["status"], said["log"]) == ("<b>warm</b>", "queued", "")
    assert client.predict(3, None, None, True, api_name="/rename_run")["star"] is True
    client.predict(3, api_name="/cancel")
    assert [info["status"] for info in client.predict(api_name="/runs")] == [
        "finished",
        "finished",
        "cancelled",
    ]
    client.predict(1, api_name="/choose_run")
    assert two_runs.proposed.choice()[0] == 1
    assert client.predict(1, 2, api_name="/compare_runs")["pseudo_labels"]
    assert "Run 3 started from its weights" in client.predict(1, api_name="/what_delete_takes")["words"]
    assert client.predict(3, api_name="/delete_run") > 0
    with pytest.raises(Exception, match="there is no run 3"):
        client.predict(3, api_name="/run")
    with pytest.raises(Exception, match="run 2 is not being trained"):
        client.predict(2, api_name="/pause")
    with pytest.raises(Exception, match="run 2 has finished"):
        client.predict(2, api_name="/resume")


def test_the_tab_is_made_of_native_parts(studio: Studio) -> None:
    config = build_blocks(studio).config
    parts = [(one["type"], one["props"].get("label")) for one in config["components"]]
    for field in describe("thorough"):
        assert field.label in {label for _, label in parts}, field.name
    for wanted in (
        ("radio", "Recipe"),
        ("dropdown", "Start from"),
        ("dataframe", "Runs"),
        ("number", "seed"),
    ):
        assert wanted in parts
    assert sum(kind == "nativeplot" for kind, _ in parts) >= 6
    public = {one["api_name"] for one in config["dependencies"] if one["api_visibility"] == "public"}
    assert set(METHODS) <= public
