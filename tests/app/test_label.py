from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from gradio_client import Client

from logicmix_studio.app.access import PERSON_HEADER
from logicmix_studio.app.blocks import build_blocks
from logicmix_studio.studio import Studio
from tests.served import serving

PATIENCE_S = 60.0


@pytest.fixture
def bare(open_studio: Callable[..., Studio]) -> Studio:
    return open_studio(known_proportion=0, runs=0)


@pytest.fixture
def client(bare: Studio) -> Iterator[Client]:
    """A program of ben's at a served studio."""
    with serving(bare) as url:
        yield Client(url, verbose=False, headers={PERSON_HEADER: "ben"}, httpx_kwargs={"timeout": PATIENCE_S})


def test_a_program_labels_images(client: Client, bare: Studio) -> None:
    first, second = client.predict(limit=2, api_name="/label_queue")
    assert (first["file"], second["file"]) == (bare.table.paths[0], bare.table.paths[1])
    assert first["states"] == dict.fromkeys(bare.class_names, 0)
    said = client.predict(first["image_id"], ["ring"], api_name="/label_image")
    assert (said["line"], said["cells"], said["skipped"]) == (1, 6, [])
    assert bare.states[0].tolist() == [-1, -1, -1, -1, -1, 1]
    assert bare.ledger.line(1).who == "ben"
    part = client.predict(second["image_id"], [], rest="unknown", absent=["star"], api_name="/label_image")
    assert part["cells"] == 1
    assert bare.states[1].tolist() == [0, 0, 0, -1, 0, 0]
    assert client.predict(limit=1, api_name="/label_queue")[0]["file"] == bare.table.paths[2]


def test_a_program_changes_known_cells_only_where_it_says_so(client: Client, bare: Studio) -> None:
    image = bare.image_ids[0]
    bare.decide(image, "ring", -1)
    left = client.predict(image, ["ring"], rest="unknown", api_name="/label_image")
    assert left["skipped"] == [[image, "ring"]]
    assert bare.states[0, 5] == -1
    client.predict(image, ["ring"], rest="unknown", change_known=True, api_name="/label_image")
    assert bare.states[0, 5] == 1
    with pytest.raises(Exception, match="no class 'zebra'"):
        client.predict(image, ["zebra"], api_name="/label_image")
    client.predict("ring", "A circle with a hole.", api_name="/describe_class")
    assert bare.labelling.about("ring")[0] == "A circle with a hole."


def test_the_tab_is_made_of_native_parts(studio: Studio) -> None:
    config = build_blocks(studio).config
    labels = {one["props"].get("label"): one["type"] for one in config["components"]}
    wanted = {"Order": "dropdown", "Like those that show": "dropdown", "Only with nothing known": "checkbox"}
    wanted |= {"Suggestions of the model": "dropdown", "from score": "slider", "What it means": "textbox"}
    assert {label: labels.get(label) for label in wanted} == wanted
    public = {one["api_name"] for one in config["dependencies"] if one["api_visibility"] == "public"}
    assert {"label_queue", "label_image", "describe_class"} <= public
