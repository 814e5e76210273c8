"""Names of data sets that FiftyOne can make no address of."""

from __future__ import annotations

from pathlib import Path

import pytest

from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Ledger
from logicmix_studio.store.fiftyone.attach import attach
from logicmix_studio.store.fiftyone.mongod import Mongod
from tests.store.fiftyone.test_create import make_workspace

pytestmark = pytest.mark.slow


def test_two_data_sets_without_latin_letters_get_two_names(mongod: Mongod, tmp_path: Path) -> None:
    labels, names = LabelTable.build(["a.jpg"], ["dog"], [[1]]), []
    for name in ("写真", "動物"):
        worker = attach(make_workspace(tmp_path / name, labels), Ledger(labels), mongod)
        names.append(worker.dataset_name)
        worker.start()
        assert worker.close(20)
    assert len(set(names)) == 2
    assert [name[:2] for name in names] == ["写真", "動物"]
