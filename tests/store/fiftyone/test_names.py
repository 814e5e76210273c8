"""Names of data sets that FiftyOne can make no address of."""

from __future__ import annotations

from pathlib import Path

import pytest

from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Workspace, save_table, write_json
from logicmix_studio.store.fiftyone.attach import attach
from logicmix_studio.store.fiftyone.mongod import Mongod

pytestmark = pytest.mark.slow


def test_two_data_sets_without_latin_letters_get_two_names(tmp_path: Path) -> None:
    labels, names = LabelTable.build(["a.jpg"], ["dog"], [[1]]), []
    with Mongod(tmp_path / "db", environ={}) as mongod:
        for name in ("写真", "動物"):
            workspace = Workspace(root=tmp_path / name, folder=tmp_path / name / ".logicmix")
            save_table(workspace.labels_file, labels)
            write_json(workspace.info_file, {"format": 1, "name": name, "root": str(workspace.root)})
            worker = attach(workspace, labels, mongod)
            names.append(worker.dataset_name)
            worker.start()
            assert worker.close(20)
    assert names == ["写真-2", "動物-3"]
