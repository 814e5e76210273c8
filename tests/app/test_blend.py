"""The blend tab by name, as a program uses it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gradio_client import Client

from logicmix_studio.studio import Studio
from tests.served import serving

PATIENCE_S = 60.0


@pytest.fixture
def client(studio: Studio) -> Iterator[Client]:
    with serving(studio) as url:
        yield Client(url, verbose=False, httpx_kwargs={"timeout": PATIENCE_S})


def test_a_program_draws_builds_and_compares_blends(client: Client, studio: Studio) -> None:
    first, again = (client.predict(seed=7, sample=3, api_name="/draw_blend") for _ in range(2))
    assert first == again
    assert first["sample"] >= 3
    assert [row["class_name"] for row in first["labels"]] == list(studio.class_names)
    made = client.predict(first["image_ids"], api_name="/make_blend")
    assert (made["labels"], made["sample"]) == (first["labels"], None)
    methods = client.predict(first["image_ids"], api_name="/blend_methods")
    values = [{1: 1.0, -1: 0.0, 0: None}[row["state"]] for row in first["labels"]]
    assert list(methods["LogicMix"].values()) == values
    shares = client.predict(api_name="/blend_statistics")
    assert shares["samples drawn"]["known"] == pytest.approx(shares["samples exact"]["known"], abs=0.05)
    with pytest.raises(Exception, match="run 1 left no model"):
        client.predict(first["image_ids"], api_name="/blend_scores")
