"""The command line's server as people start it."""

import json

import httpx
import pytest

from tests.launched import LaunchedStudio
from tests.workspaces import make_workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STEPS = (
    "starting",
    "reading labels and journal",
    "24 images, 6 classes, 0 journal lines",
    "starting the database",
    "loading Gradio and building the page",
    "LogicMix Studio is open at http://127.0.0.1:",
)


def test_launch__tells_its_steps_and_serves_assistants_where_asked(tmp_path):
    root = make_workspace(tmp_path / "photos", num_images=24).root
    with LaunchedStudio.launch(root, more=["--mcp"]) as studio:
        printed = studio.printed()
        places = [printed.find(step) for step in STEPS]
        assert -1 not in places, printed
        assert places == sorted(places)

        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        reply = httpx.post(
            f"{studio.url}/gradio_api/mcp/",
            json=asked,
            headers={"accept": "application/json, text/event-stream"},
            timeout=60,
            trust_env=False,
        )
        line = next(line for line in reply.text.splitlines() if line.startswith("data:") or '"result"' in line)
        tools = json.loads(line.removeprefix("data:"))["result"]["tools"]
        names = {tool["name"] for tool in tools}
        assert {"decide", "undo", "train", "pseudo_labels"} <= names
        assert all(tool["description"] for tool in tools)
