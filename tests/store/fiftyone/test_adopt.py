"""A data set that lives in FiftyOne is labelled in the studio: what is theirs stays as it is, whatever happens here."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from logicmix_studio.adopting import adopt_dataset
from logicmix_studio.errors import StudioError
from logicmix_studio.importing import ImportOptions, import_dataset
from logicmix_studio.store.fiftyone.adopt import Adoption
from logicmix_studio.store.fiftyone.create import OWN_FIELDS
from logicmix_studio.store.workspace import locate_workspace
from logicmix_studio.studio import Studio

pytestmark = pytest.mark.slow
NAMES = ("a.jpg", "sub/b.jpg", "c.jpg")


@pytest.fixture
def theirs(tmp_path, fiftyone, mongod, monkeypatch):
    """A data set of somebody's with a field of every kind."""
    fo = fiftyone
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", mongod.ensure())
    root = tmp_path / "photos"
    samples = []
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6)).save(root / name)
        samples.append(fo.Sample(str(root / name), note=f"about {name}"))
    box = {"bounding_box": [0, 0, 1, 1]}
    names = (["dog", "dog", "cat"], [], None)
    for sample, of in zip(samples, names, strict=True):
        if of is not None:
            sample["boxes"] = fo.Detections(detections=[fo.Detection(label=name, **box) for name in of])
            sample["tags_of"] = fo.Classifications(classifications=[fo.Classification(label=name) for name in of])
            sample["lines"] = fo.Polylines(polylines=[fo.Polyline(label=name, points=[]) for name in of])
        sample["one"] = fo.Classification(label=of[0]) if of else None
        sample["absent"] = fo.Classifications(classifications=[fo.Classification(label="bird")])
    samples[0].tags, samples[1].tags = ["train", "mine"], ["validation"]
    dataset = fo.Dataset(f"theirs-{tmp_path.name}")
    dataset.default_classes = ["cow", "cat"]
    dataset.add_samples(samples)
    dataset.save_view("mine", dataset.limit(1))
    yield SimpleNamespace(dataset=dataset, root=root, name=dataset.name, workspace=locate_workspace(root))
    dataset.delete()


def content(dataset):
    """All that stands in a data set, less what the studio adds and the time of the last change."""
    dataset.reload()
    left_out = (*OWN_FIELDS, "last_modified_at")
    samples = [json.loads(sample.to_json()) for sample in dataset]
    schema = {name: str(kind) for name, kind in dataset.get_field_schema().items() if name not in left_out}
    return (
        [{key: value for key, value in sample.items() if key not in left_out} for sample in samples],
        schema,
        dataset.default_classes,
        dataset.info,
        "mine" in dataset.list_saved_views(),
    )


@pytest.mark.parametrize("field", ["boxes", "tags_of", "lines", "one"])
def test_labels_are_read_at_image_level(theirs, field):
    table = adopt_dataset(Adoption(theirs.name, field, "absent")).table
    assert table.image_ids == tuple(theirs.dataset.values("id"))
    assert (table.paths, table.splits) == (NAMES, ("train", "val", ""))
    assert table.class_names == (("cow", "cat", "bird", "dog"))
    cat = 0 if field == "one" else 1
    assert table.states.tolist() == [[0, cat, -1, 1], [0, 0, -1, 0], [0, 0, -1, 0]]


def test_where_a_list_is_complete_what_it_does_not_name_is_absent_but_no_list_says_nothing(theirs):
    table = adopt_dataset(Adoption(theirs.name, "boxes", exhaustive=True)).table
    assert table.class_names == ("cow", "cat", "dog")
    assert table.states.tolist() == [[-1, 1, 1], [-1, -1, -1], [0, 0, 0]]


def test_decisions_come_into_their_data_set_and_theirs_stays(theirs, fiftyone):
    before, names = content(theirs.dataset), set(fiftyone.list_datasets())
    first = adopt_dataset(Adoption(theirs.name, "boxes"))
    with Studio.open(theirs.root, who="ada") as studio:
        sync = studio.follow()
        assert sync.wait_until_written(60), sync.status
        studio.decide(studio.image_ids[2], "cow", 1)
        assert sync.wait_until_written(20)
        assert sync.dataset_name == theirs.name
    assert content(theirs.dataset) == before
    assert set(fiftyone.list_datasets()) == names
    path = "positive_labels.classifications.label"
    assert theirs.dataset.values(path) == [["cat", "dog"], [], ["cow"]]

    # Their labels change, an image of theirs goes and another comes: read anew, and nothing of theirs is taken out.
    theirs.dataset.delete_samples(theirs.dataset.first())
    Image.new("RGB", (8, 6)).save(theirs.root / "d.jpg")
    theirs.dataset.add_sample(fiftyone.Sample(str(theirs.root / "d.jpg"), one=fiftyone.Classification(label="cat")))
    before = content(theirs.dataset)
    again = adopt_dataset(Adoption(theirs.name, "one"))
    assert again.workspace == first.workspace
    assert "New photographs: 1." in again.changed
    with Studio.open(theirs.root, who="ada") as studio:
        assert studio.follow().wait_until_written(60)
        assert np.argwhere(studio.states).tolist() == [[1, 0], [2, 1]]
    assert content(theirs.dataset) == before
    assert theirs.dataset.values(path) == [[], ["cow"], ["cat"]]


def test_a_workspace_and_a_data_set_stay_together(theirs, fiftyone, mongod, tmp_path, monkeypatch):
    monkeypatch.delenv("FIFTYONE_DATABASE_URI")  # FiftyOne's settings name it, too
    settings = tmp_path / "config.json"
    settings.write_text(json.dumps({"database_uri": mongod.ensure()}))
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(settings))
    adoption = Adoption(theirs.name, "boxes")
    adopt_dataset(adoption)
    with pytest.raises(StudioError, match="belongs to the workspace"):
        adopt_dataset(adoption, workspace=tmp_path / "elsewhere")
    with pytest.raises(StudioError, match=f"from the data set '{theirs.name}'"):
        import_dataset(theirs.workspace, ImportOptions())
    other = theirs.dataset.clone()
    with pytest.raises(StudioError, match="belongs to other images"):
        adopt_dataset(Adoption(other.name, "boxes"))
    other.delete()


@pytest.mark.parametrize(
    ("adoption", "told"),
    [
        (("nothing", "boxes"), "no data set 'nothing'"),
        (("theirs", "note"), r"(?s)no field 'note'.*boxes, .*absent"),
        (("theirs", "boxes", "nothing"), "no field 'nothing'"),
        (("theirs", "boxes", "boxes"), "(?s)2 problems.*a.jpg: 'cat' is in boxes"),
    ],
)
def test_what_cannot_be_read_is_said(theirs, adoption, told):
    name, *fields = adoption
    with pytest.raises(StudioError, match=told):
        adopt_dataset(Adoption(theirs.name if name == "theirs" else name, *fields))
    assert not theirs.workspace.folder.exists()


def test_images_outside_one_folder_gone_or_fields_of_our_names_are_refused(theirs):
    adoption = Adoption(theirs.name, "boxes")
    with pytest.raises(StudioError, match=r"(?s)different places.*below one folder"):
        adopt_dataset(adoption, theirs.root / "sub")
    theirs.dataset.clone_sample_field("absent", "negative_labels")
    with pytest.raises(StudioError, match=r"(?s)studio writes: negative_labels.*rename_sample_field"):
        adopt_dataset(adoption)
    theirs.dataset.delete_sample_field("negative_labels")
    (theirs.root / "c.jpg").unlink()
    with pytest.raises(StudioError, match=r"c\.jpg: there is no such file"):
        adopt_dataset(adoption)
    assert not theirs.workspace.folder.exists()
