"""The data set as FiftyOne itself reads it, and what stays in it when it is brought in line with another import."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bson import ObjectId

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Decision, Journal, Ledger, Workspace, save_table, write_json
from logicmix_studio.store.fiftyone import documents
from logicmix_studio.store.fiftyone.attach import attach, dataset_is_ready, identity_of
from logicmix_studio.store.fiftyone.claims import ClaimEncoder
from logicmix_studio.store.fiftyone.create import LEFT_TAG, set_up
from logicmix_studio.store.fiftyone.documents import CONFLICTS, KNOWN, META, PSEUDO
from logicmix_studio.store.fiftyone.sync_state import SyncStates

pytestmark = pytest.mark.slow
STATES = np.array([[1, -1, 1], [0, -1, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]], dtype=np.int8)
OWN_FIELDS = (*KNOWN.values(), *PSEUDO.values(), CONFLICTS)


def make_workspace(root: Path, table: LabelTable) -> Workspace:
    root.mkdir(parents=True)
    workspace = Workspace(root=root, folder=root / ".logicmix")
    save_table(workspace.labels_file, table)
    write_json(workspace.info_file, {"format": 1, "name": root.name, "root": str(root)})
    return workspace


def table() -> LabelTable:
    paths = ["a.jpg", "deep/b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    return LabelTable.build(paths, ["dog", "$cash", "x.y"], STATES, ["train", "", "", "test", ""])


def labels_of(dataset, fields=KNOWN):
    """Each image's classes by field."""
    columns = dataset.values(["id", *(f"{name}.classifications.label" for name in fields.values())])
    return {image_id: [names or [] for names in rest] for image_id, *rest in zip(*columns, strict=True)}


@pytest.fixture(scope="module")
def made(tmp_path_factory, fiftyone, mongod):
    """Made by the studio, decided and proposed upon, and opened in FiftyOne."""
    root, labels = tmp_path_factory.mktemp("photos") / "my photos", table()
    workspace, steps = make_workspace(root, labels), []
    ledger = Ledger(labels, journal=Journal(workspace.journal_file))
    worker = attach(workspace, ledger, mongod, progress=lambda done, total, what: steps.append(what))
    assert dataset_is_ready(workspace, mongod.ensure(), identity_of(workspace))
    worker.start()
    ledger.listen(worker.submit)
    line = ledger.decide([Decision(labels.image_ids[1], "dog", -1)], who="ann", origin="grid").line
    scores = np.full(STATES.shape, 0.5, dtype=np.float16)
    scores[2, 0], scores[2, 1], scores[0, 0] = 0.98, 0.01, 0.02
    proposals = np.zeros(STATES.shape, dtype=np.int8)
    proposals[2, 0], proposals[2, 1] = 1, -1
    conflicts = np.zeros(STATES.shape, dtype=np.int8)
    conflicts[0, 0] = -1
    worker.write_proposals(1, proposals, scores, conflicts)
    worker.save_selection(labels.image_ids[:1])
    slug = worker.save_selection([labels.image_ids[4], labels.image_ids[1]])
    assert worker.close(20)
    return SimpleNamespace(
        dataset=fiftyone.load_dataset(worker.dataset_name),
        ids=labels.image_ids,
        line=line,
        steps=steps,
        workspace=workspace,
        slug=slug,
        uri=mongod.ensure(),
    )


# what FiftyOne reads ---------------------------------------------------------


def test_the_data_set_is_named_after_the_folder_and_stays(made):
    dataset = made.dataset
    assert (dataset.name, dataset.persistent, dataset.media_type) == ("my photos", True, "image")
    assert "writing images into the FiftyOne data set" in made.steps
    assert str(made.workspace.root / "deep" / "b.jpg") in dataset.values("filepath")
    assert dataset.values("split") == ["train", None, None, "test", None]


def test_each_state_has_its_field(made):
    a, b, c, d, e = made.ids
    assert labels_of(made.dataset) == {
        a: [["dog", "x.y"], ["$cash"]],
        b: [[], ["$cash", "dog"]],
        c: [[], []],
        d: [[], []],
        e: [["$cash"], []],
    }
    assert labels_of(made.dataset, PSEUDO) == {**{image_id: [[], []] for image_id in made.ids}, c: [["dog"], ["$cash"]]}
    assert made.dataset.values("unknown") == [
        [],
        ["x.y"],
        ["dog", "$cash", "x.y"],
        ["dog", "$cash", "x.y"],
        ["dog", "x.y"],
    ]
    assert made.dataset.values("num_unknown") == [0, 1, 3, 3, 2]
    assert made.dataset.values("run") == [1, None, 1, None, None]


def test_people_are_named_and_only_models_are_confident(made):
    decided = made.dataset[made.ids[1]].negative_labels.classifications[-1]
    assert (decided.label, decided.decided_by, decided.source, decided.confidence) == ("dog", "ann", "human", None)
    assert decided.decided_at.isoformat()[:23] == made.line.time[:23]
    (claimed,) = made.dataset[made.ids[2]].pseudo_negative.classifications
    assert (claimed.label, claimed.run, round(claimed.confidence, 2)) == ("$cash", 1, 0.99)
    (conflict,) = made.dataset[made.ids[0]].conflicts.classifications
    assert (conflict.label, conflict.contradicts, round(conflict.confidence, 2)) == ("dog", "positive", 0.98)


def test_saved_views(made):
    a, b, c, d, e = made.ids
    found = {name: made.dataset.load_saved_view(name).values("id") for name in made.dataset.list_saved_views()}
    assert found == {
        "LogicMix: to review": [c],
        "LogicMix: conflicts": [a],
        "LogicMix: complete": [a],
        "LogicMix: untouched": [a, c, d, e],
        "LogicMix: selection": [e, b],
    }
    assert made.slug == "logicmix-selection"


def test_fields_are_described_coloured_and_together_in_the_side_bar(made):
    dataset = made.dataset
    colours = {one["path"]: one["fieldColor"] for one in dataset.app_config.color_scheme.fields}
    assert (colours["positive_labels"], colours["negative_labels"]) == ("#17998b", "#8595ae")
    assert set(colours) == set(OWN_FIELDS)
    group = next(one for one in dataset.app_config.sidebar_groups if one.name == "LogicMix")
    assert group.paths == [*OWN_FIELDS, "unknown", "num_unknown", "split", "run", "synced_at"]
    assert all(dataset.get_field(name).description for name in group.paths)
    assert dataset.default_classes == ["dog", "$cash", "x.y"]
    assert any("pseudo_positive.classifications.label" in name for name in dataset.list_indexes())


def test_what_nobody_would_take_over_cannot_be_saved(made, fiftyone):
    sample = made.dataset[made.ids[2]]
    for change in ({"num_unknown": 7}, {"unknown": []}):
        with pytest.raises(ValueError, match="read-only"):
            sample.update_fields(change)
        sample.reload()
    sample.pseudo_positive.classifications.append(fiftyone.Classification(label="x.y"))
    with pytest.raises(ValueError, match="read-only"):
        sample.save()
    sample.reload()
    with pytest.raises(ValueError, match="read-only"):
        made.dataset.set_values("pseudo_positive.classifications.label", [["x.y"]] * 5)


def test_the_app_finds_every_field_fit_to_annotate(made):
    """What it works out when an image is opened; a label field that is read-only as a whole makes it fail."""
    made.dataset.set_label_schemas({name: made.dataset.generate_label_schemas(name) for name in OWN_FIELDS})
    assert made.dataset.generate_label_schemas("unknown", scan_samples=False)["read_only"]


def test_a_raw_document_is_as_fiftyone_would_have_written_it(made, fiftyone):
    """The contract: an image made by FiftyOne's public API has the same keys and types, label by label."""
    dataset = made.dataset.clone()
    labels = [f"{name}.classifications" for name in (*PSEUDO.values(), CONFLICTS)]
    for name in (*labels, "unknown", "num_unknown", "split", "run", "synced_at"):
        field = dataset.get_field(name)
        field.read_only = False
        field.save()
    now, of = datetime.now(UTC), fiftyone.Classification
    model = {"confidence": 0.9, "run": 1}
    public = {
        "positive_labels": [of(label="a", source="human", run=1, decided_by="ann", decided_at=now)],
        "negative_labels": [of(label="b", source="imported")],
        "pseudo_positive": [of(label="c", **model)],
        "pseudo_negative": [of(label="d", **model)],
        "conflicts": [of(label="a", contradicts="positive", **model)],
    }
    lists = {name: fiftyone.Classifications(classifications=labels) for name, labels in public.items()}
    facts = {"unknown": ["e"], "num_unknown": 1, "split": "train", "run": 1, "synced_at": now}
    sample = fiftyone.Sample("/photos/new.jpg", tags=["train"], **lists, **facts)
    dataset.add_sample(sample)
    samples = dataset._sample_collection
    theirs = samples.find_one({"_id": ObjectId(sample.id)})
    image_id, finish = made.ids[3], documents.unknown_stages(table())
    known = documents.known_label(image_id, "x.y", 1, 2, run=1, decided_by="ann", decided_at=now)
    absent = documents.known_label(image_id, "$cash", -1, 1)
    change = {"x.y": (known, None), "$cash": (absent, None)}
    besides = [documents.claim(image_id, "dog", state, 0.9, 1) for state in (1, -1)]
    none, contradicted = np.zeros(1, dtype=np.int8), -np.ones(1, dtype=np.int8)
    claims = ClaimEncoder(["x.y"], 1).fields(image_id, none, contradicted, np.array([0.1]), besides)
    samples.bulk_write(
        [documents.change_image(image_id, change, finish), documents.replace_claims(image_id, claims, 1)]
    )
    ours = samples.find_one({"_id": ObjectId(image_id)})

    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        assert type(ours[key]) is type(value), key
    for name in public:
        assert set(ours[name]) == set(theirs[name])
        for raw, wanted in zip(ours[name]["classifications"], theirs[name]["classifications"], strict=True):
            assert set(raw) == set(wanted), name
            assert all(type(raw[key]) is type(wanted[key]) for key in raw)
    dataset.delete()


# what stays ------------------------------------------------------------------


def test_a_newer_import_comes_in_place_and_nothing_of_others_is_lost(made, fiftyone, database):
    import fiftyone.brain as fob

    dataset, (a, b, *_, e) = made.dataset, made.ids
    clone = dataset.clone("my photos backup")
    mine = fiftyone.Sample("/elsewhere/mine.jpg", note="mine")
    dataset.add_sample(mine)
    dataset.set_values("note", {a: "look", e: "keep"}, key_field="id")
    dataset.match({"_id": ObjectId(b)}).tag_samples("seen")
    dataset.save_view("complete", dataset.limit(1))
    fob.compute_similarity(dataset, embeddings=np.eye(6, 4), brain_key="mine", backend="sklearn")
    colours = dataset.app_config.color_scheme
    colours.fields = [{"path": "conflicts", "fieldColor": "#0000ff"}, {"path": "note", "fieldColor": "#00ff00"}]
    dataset.app_config.sidebar_groups = [*dataset.app_config.sidebar_groups, fiftyone.SidebarGroupDocument(name="me")]
    dataset.save()
    before = dataset._doc.id

    paths = ["a.jpg", "deep/b.jpg", "new.jpg"]  # c, d and e are gone; e bears a note
    states = np.array([[1, -1, 1, 0], [0, -1, 0, 0], [1, 1, 1, 1]], dtype=np.int8)
    wider = LabelTable.build(paths, [*table().class_names, "owl"], states, ["train", "", ""])
    save_table(made.workspace.labels_file, wider)
    assert set_up(made.workspace, made.uri) == "my photos"
    dataset.reload()

    assert dataset._doc.id == before
    assert labels_of(dataset) == {
        a: [["dog", "x.y"], ["$cash"]],
        b: [[], ["$cash"]],  # the journal is replayed upon it
        wider.image_ids[2]: [["dog", "$cash", "x.y", "owl"], []],
        e: [[], []],
        mine.id: [[], []],
    }
    assert dataset.values("unknown", _raw=False)[:2] == [["owl"], ["dog", "x.y", "owl"]]
    assert dict(zip(*dataset.values(["id", "note"]), strict=True)) == {
        a: "look", b: None, wider.image_ids[2]: None, e: "keep", mine.id: "mine"
    }  # fmt: skip
    assert dataset.match_tags("seen").values("id") == [b]
    assert dataset.match_tags(LEFT_TAG).values("id") == [e]
    assert dataset.load_saved_view("complete").values("id") == [a]
    assert dataset.list_brain_runs() == ["mine"]
    assert [one.name for one in dataset.app_config.sidebar_groups][-1] == "me"
    colours = {one["path"]: one["fieldColor"] for one in dataset.app_config.color_scheme.fields}
    assert (colours["conflicts"], colours["note"], colours["positive_labels"]) == ("#0000ff", "#00ff00", "#17998b")
    assert dataset.default_classes == [*table().class_names, "owl"]
    assert len(clone) == 5
    assert fiftyone.dataset_exists("my photos backup")
    clone.delete()


def test_a_renamed_data_set_is_still_the_one(made, database):
    made.dataset.name = "holidays"
    assert set_up(made.workspace, made.uri) == "holidays"
    assert SyncStates(database, identity_of(made.workspace).id).load().dataset == "holidays"


def test_the_first_format_is_brought_over(tmp_path, fiftyone, mongod, database):
    """Known and negative labels in one field, told apart by an attribute: what is written today replaces it."""
    workspace, labels = make_workspace(tmp_path / "old", table()), table()
    old = fiftyone.Dataset("old photos", persistent=True)
    for name in ("known", "pseudo", "conflicts"):
        old.add_sample_field(name, fiftyone.EmbeddedDocumentField, embedded_doc_type=fiftyone.Classifications)
        old.add_sample_field(f"{name}.classifications.state", fiftyone.StringField)
    old.add_sample_field("image_id", fiftyone.StringField)
    old.save_view("to review", old.limit(1))
    old.media_type = "image"
    old.info["logicmix"] = {"id": identity_of(workspace).id}
    old.save()
    known = {
        "_cls": "Classifications",
        "classifications": [{"_cls": "Classification", "label": "dog", "state": "negative"}],
    }
    image_id = labels.image_ids[0]
    facts = {
        "_id": ObjectId(image_id),
        "image_id": image_id,
        "filepath": "/old/a.jpg",
        "tags": ["mine"],
        "known": known,
    }
    old._sample_collection.insert_one({**facts, "_media_type": "image", "_dataset_id": old._doc.id})
    database[META].insert_one(
        {"_id": identity_of(workspace).id, "format": 1, "dataset": "old photos", "dataset_id": str(old._doc.id)}
    )
    assert not dataset_is_ready(workspace, mongod.ensure(), identity_of(workspace))

    assert set_up(workspace, mongod.ensure()) == "old photos"
    old.reload()
    assert labels_of(old)[image_id] == [["dog", "x.y"], ["$cash"]]
    assert not {"known", "pseudo", "image_id"} & set(old.get_field_schema())
    assert "conflicts.classifications.state" not in old.get_field_schema(flat=True)
    assert old[image_id].tags == ["mine"]
    assert "logicmix" not in old.info
    assert all(name.startswith("LogicMix: ") for name in old.list_saved_views())


def test_above_a_size_unknown_classes_are_counted_and_not_named(tmp_path, fiftyone, mongod, monkeypatch):
    workspace = make_workspace(tmp_path / "large", table())
    dataset = fiftyone.load_dataset(set_up(workspace, mongod.ensure()))
    assert dataset.has_field("unknown")
    monkeypatch.setattr(documents, "MOST_NAMED", 14)
    set_up(workspace, mongod.ensure())
    dataset.reload()
    assert not dataset.has_field("unknown")
    assert dataset.values("num_unknown") == [0, 2, 3, 3, 2]
    assert "not named" in dataset.get_field("num_unknown").description


# what is refused -------------------------------------------------------------


def test_an_unready_data_set_is_seen_without_fiftyone(tmp_path, mongod):
    workspace = make_workspace(tmp_path / "photos", table())
    assert not dataset_is_ready(workspace, mongod.ensure(), identity_of(workspace))
    assert identity_of(workspace) == identity_of(workspace)


def test_a_data_set_of_another_fiftyone_is_refused(synced, database):
    database["datasets"].update_one({"name": synced.workspace_id}, {"$set": {"version": "1.31.0"}})
    with pytest.raises(StudioError, match=r"belongs to FiftyOne 1\.31\.0, but this studio knows 1\.22"):
        SyncStates(database, synced.workspace_id).load()


def test_what_the_set_up_cannot_do_is_said(tmp_path, mongod):
    workspace = make_workspace(tmp_path / "photos", table())
    workspace.labels_file.write_bytes(b"broken")
    with pytest.raises(StudioError, match=r"could not be made: .*labels\.npz is broken"):
        attach(workspace, Ledger(table()), mongod)
