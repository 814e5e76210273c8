"""The data set as FiftyOne itself reads it. One process makes it, one reads it: importing FiftyOne takes long."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Decision, Journal, Ledger, Workspace, save_table, write_json
from logicmix_studio.store.fiftyone.attach import attach, dataset_is_ready, identity_of
from logicmix_studio.store.fiftyone.mongod import Mongod

pytestmark = pytest.mark.slow
READER = Path(__file__).with_name("fiftyone_reader.py")
STATES = np.array([[1, -1, 1], [0, -1, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]], dtype=np.int8)


def make_workspace(root: Path, table: LabelTable) -> Workspace:
    root.mkdir(parents=True)
    workspace = Workspace(root=root, folder=root / ".logicmix")
    save_table(workspace.labels_file, table)
    write_json(workspace.info_file, {"format": 1, "name": root.name, "root": str(root)})
    return workspace


def table() -> LabelTable:
    paths = ["a.jpg", "deep/b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    return LabelTable.build(paths, ["dog", "$cash", "x.y"], STATES, ["train", "", "", "test", ""])


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Made by the studio, decided and proposed upon, then read in FiftyOne."""
    root = tmp_path_factory.mktemp("photos") / "my photos"
    workspace, labels = make_workspace(root, table()), table()
    steps: list[str] = []
    with Mongod(workspace.database, environ={}) as mongod:
        worker = attach(workspace, labels, mongod, progress=lambda done, total, what: steps.append(what))
        was_ready = dataset_is_ready(workspace, mongod.ensure(), identity_of(workspace))
        ledger = Ledger(labels, journal=Journal(workspace.journal_file))
        worker.start()
        ledger.listen(worker.submit)
        line = ledger.decide([Decision(labels.image_ids[1], "dog", -1)], who="ann", origin="grid").line
        scores = np.full(STATES.shape, 0.5, dtype=np.float16)
        scores[2, 0], scores[2, 1] = 0.98, 0.01
        proposals = np.zeros(STATES.shape, dtype=np.int8)
        proposals[2, 0], proposals[2, 1] = 1, -1
        conflicts = np.zeros(STATES.shape, dtype=np.int8)
        conflicts[0, 0] = -1
        worker.write_proposals(1, proposals, scores, conflicts)
        worker.save_selection(labels.image_ids[:1])
        slug = worker.save_selection([labels.image_ids[4], labels.image_ids[1]])
        assert worker.close(20)
        environ = dict(os.environ)
        prepare_environment(environ, database_uri=mongod.ensure())
        command = [sys.executable, str(READER), str(workspace.folder), str(root), mongod.ensure()]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    return SimpleNamespace(
        **answer, ids=labels.image_ids, line=line, steps=steps, was_ready=was_ready, root=root, slug=slug
    )


def test_the_data_set_is_named_after_the_folder_and_stays(seen):
    assert seen.datasets == ["my photos"]
    assert (seen.first["persistent"], seen.first["media_type"]) == (True, "image")
    assert seen.first["info"]["root"] == str(seen.root)
    assert seen.was_ready
    assert "writing images into the FiftyOne data set" in seen.steps


def test_fiftyone_reads_every_state(seen):
    a, b, c, d, e = seen.ids
    expected = {
        a: {"dog": "positive", "$cash": "negative", "x.y": "positive"},
        b: {"$cash": "negative", "dog": "negative"},
        c: {},
        d: {},
        e: {"$cash": "positive"},
    }
    assert seen.first["known"] == expected
    assert seen.first["num_unknown"] == {a: 0, b: 1, c: 3, d: 3, e: 2}
    assert seen.first["pseudo"] == {a: {}, b: {}, c: {"dog": "positive", "$cash": "negative"}, d: {}, e: {}}
    assert seen.first["splits"] == {a: "train", b: None, c: None, d: "test", e: None}
    assert str(seen.root / "deep" / "b.jpg") in seen.first["filepaths"]


def test_fiftyone_reads_who_decided_and_writes_back(seen):
    assert seen.decided[:3] == ["dog", "negative", "ann"]
    assert seen.decided[3][:23] == seen.line.time[:23]
    assert seen.tagged == 1
    assert seen.filtered == 2


def test_saved_views(seen):
    a, b, c, d, e = seen.ids
    assert {name: set(ids) for name, ids in seen.first["views"].items()} == {
        "to review": {c},
        "conflicts": {a},
        "complete": {a},
        "untouched": {a, c, d, e},
        "from the studio": {b, e},
    }
    assert [Path(path).name for path in seen.selection] == ["e.jpg", "b.jpg"]
    assert seen.slug == "from-the-studio"


def test_colours_fields_and_index(seen):
    assert seen.first["colours"]["known"] == {"positive": "#17998b", "negative": "#8595ae"}
    assert set(seen.first["colours"]["pseudo"]) == {"positive", "negative"}
    for name in ("state", "source", "confidence", "run", "decided_by", "decided_at"):
        assert f"pseudo.classifications.{name}" in seen.first["schema"]
    assert any("pseudo.classifications.label" in name for name in seen.first["indexes"])


def test_new_images_and_classes_are_added_and_gone_images_taken_out(seen):
    assert seen.extended["classes"] == ["dog", "$cash", "x.y", "owl"]
    assert seen.ids[4] not in seen.extended["known"]
    added = set(seen.extended["known"]) - set(seen.ids)
    assert [seen.extended["known"][new] for new in added] == [dict.fromkeys(["dog", "$cash", "x.y", "owl"], "positive")]
    assert seen.extended["known"][seen.ids[1]] == {"$cash": "negative"}  # the journal is replayed upon it
    assert seen.extended["num_unknown"][seen.ids[0]] == 1
    assert seen.extended["pseudo"] == {
        **{i: {} for i in added},
        **{i: seen.first["pseudo"][i] for i in seen.ids[:4]},
    }


def test_made_anew_it_is_the_import(seen):
    rebuilt = seen.rebuilt
    assert seen.datasets_after == ["my photos"]
    assert rebuilt["known"] == {**seen.first["known"], seen.ids[1]: {"$cash": "negative"}}
    assert all(labels == {} for labels in rebuilt["pseudo"].values())
    for same in ("classes", "schema", "indexes", "colours", "info"):
        assert rebuilt[same] == seen.first[same]


def test_an_unready_data_set_is_seen_without_fiftyone(tmp_path, mongod):
    workspace = make_workspace(tmp_path / "photos", table())
    assert not dataset_is_ready(workspace, mongod.ensure(), identity_of(workspace))
    assert identity_of(workspace) == identity_of(workspace)


def test_what_the_set_up_cannot_do_is_said(tmp_path, mongod):
    workspace = make_workspace(tmp_path / "photos", table())
    workspace.labels_file.write_bytes(b"broken")
    with pytest.raises(StudioError, match=r"could not be made: .*labels\.npz is broken"):
        attach(workspace, table(), mongod)
