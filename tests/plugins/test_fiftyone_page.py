"""The Python of docs/fiftyone.md runs, and what it says of edits is true."""

import csv
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from logicmix_studio.store import read_journal
from logicmix_studio.store.fiftyone.create import set_up
from logicmix_studio.studio import Studio
from tests.test_studio import write_photos

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fiftyone.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_code_of_the_page_runs(tmp_path, monkeypatch, fiftyone, mongod):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", mongod.ensure())
    write_photos(tmp_path / "photos", num_images=8)
    with Studio.open("photos") as studio:
        set_up(studio.workspace, mongod.ensure())
    names: dict[str, Any] = {}
    *blocks, last = BLOCK.findall(PAGE)
    for block in blocks:
        exec(compile(block, "docs/fiftyone.md", "exec"), names)
    with Path("positives.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 8

    studio, sample = names["studio"], names["sample"]
    cell = studio.ledger.position(sample.id, names["name"])
    began = time.monotonic()
    while studio.states[cell] == 0 and time.monotonic() - began < 60:
        time.sleep(0.02)
    assert studio.states[cell] == 1
    assert (studio.ledger.lines[-1].who, studio.ledger.lines[-1].origin) == ("fiftyone", "fiftyone")

    with ThreadPoolExecutor(1) as pool:  # a browser's event loop may run in this thread
        pool.submit(exec, compile(last, "docs/fiftyone.md", "exec"), names).result()
    line = list(read_journal(studio.workspace.journal_file))[-1]
    assert [(cell.class_name, cell.after.state) for cell in line.cells] == [("dog", -1)] * 2


def test_the_page_names_every_operator():
    told = yaml.safe_load((ROOT / "plugins" / "logicmix" / "fiftyone.yml").read_text(encoding="utf-8"))
    assert [name for name in told["operators"] if f"`{name}`" not in PAGE] == []
