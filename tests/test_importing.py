import numpy as np
import pytest
from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.importing import ImportOptions, import_dataset, load_complete, store_tables
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import load_table, locate_workspace, save_table
from logicmix_studio.studio import Studio


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (8, 8), "red").save(folder / f"{name}.png")
    (folder / "labels.csv").write_text(
        "image,split,dog,cat\na.png,train,1,0\nb.png,train,0,1\nc.png,test,1,1\n"
    )
    return folder


def test_bare_folder_is_all_unknown(tmp_path, photos):
    (photos / "labels.csv").unlink()
    report = import_dataset(locate_workspace(photos), ImportOptions(classes="dog,cat"))
    assert report.table.states.tolist() == [[0, 0]] * 3
    assert report.table.class_names == ("dog", "cat")


def test_trial_keeps_the_complete_labels_aside_and_the_test_split_whole(photos):
    place = locate_workspace(photos)
    report = import_dataset(place, ImportOptions(known_proportion=0.0001))
    assert report.table.states.tolist() == [[0, 0], [0, 0], [1, 1]]
    complete = load_complete(place, report.table)
    assert complete.states.tolist() == [[1, -1], [-1, 1], [1, 1]]
    assert place.info()["trial"] == {"known_proportion": 0.0001, "seed": 526}


def test_second_import_brings_new_images_and_keeps_decisions_and_the_former_table(photos):
    place = locate_workspace(photos)
    import_dataset(place, ImportOptions())
    with Studio(place, who="ann") as studio:
        studio.decide(studio.image_ids[0], "dog", -1)
    Image.new("RGB", (8, 8), "blue").save(photos / "d.png")
    (photos / "labels.csv").write_text("image,dog,cat,leash\na.png,1,0,1\nd.png,,1,\n")
    import_dataset(place, ImportOptions())
    with Studio(place) as studio:
        assert studio.class_names == ("dog", "cat", "leash")
        assert studio.states.tolist() == [[-1, -1, 1], [0, 0, 0], [0, 0, 0], [0, 1, 0]]
        studio.ledger.undo("ann")
        assert studio.states[0].tolist() == [1, -1, 1]
    (former,) = place.labels_file.parent.glob("labels-*.npz")
    assert load_table(former).num_images == 3


def test_broken_image_is_refused_or_left_out_and_listed(photos):
    (photos / "b.png").write_bytes(b"no picture")
    place = locate_workspace(photos)
    with pytest.raises(StudioError, match=r"b\.png"):
        import_dataset(place, ImportOptions())
    assert not place.exists
    report = import_dataset(place, ImportOptions(skip_bad=True))
    assert report.table.paths == ("a.png", "c.png")
    assert [bad.split(":")[0] for bad in place.info()["bad_images"]] == ["b.png"]


def test_complete_labels_of_another_import_are_refused(photos):
    place = locate_workspace(photos)
    report = import_dataset(place, ImportOptions(known_proportion=0.5))
    other = LabelTable.build(["x.png"], ("dog", "cat"), np.ones((1, 2), np.int8), [""])
    save_table(place.complete_file, other)
    with pytest.raises(StudioError, match="does not fit"):
        load_complete(place, report.table)


def test_import_without_a_trial_forgets_an_earlier_trials_truth(photos):
    place = locate_workspace(photos)
    import_dataset(place, ImportOptions(known_proportion=0.5))
    import_dataset(place, ImportOptions())
    assert not place.complete_file.exists()


def test_made_tables_are_marked_as_the_demo(photos):
    place = locate_workspace(photos)
    table = LabelTable.build(["a.png"], ("dog",), np.zeros((1, 1), np.int8), [""])
    store_tables(place, table, table, ["made"])
    assert place.info()["demo"]
    assert place.info()["notes"] == ["made"]
