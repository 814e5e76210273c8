from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from logicmix_studio.cli.commands import collect_status, run_import
from logicmix_studio.errors import StudioError
from logicmix_studio.formats import NO_LABELS
from logicmix_studio.importing import ImportOptions, import_dataset, store_tables
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Dataset, Decision, Ledger, Workspace, load_table, locate_workspace, save_table
from logicmix_studio.studio import Studio


def photo(file: Path) -> None:
    Image.new("RGB", (8, 8), "red").save(file)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b", "c"):
        photo(folder / f"{name}.png")
    (folder / "labels.csv").write_text("image,split,dog,cat\na.png,train,1,0\nb.png,train,0,1\nc.png,test,1,1\n")
    return folder


class MachineStoppedError(Exception):
    """The machine stops here."""


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the so-and-so-many-th file that is to take its place not do so, nor any after it."""

    def arm(number: int) -> None:
        replace, left = Path.replace, [number]

        def stop(self: Path, target: Path) -> Path:
            left[0] -= 1
            if left[0] < 1:
                raise MachineStoppedError
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", stop)

    return arm


# import --------------------------------------------------------------------------------------------------------------


def test_bare_folder_is_all_unknown(photos: Path) -> None:
    (photos / "labels.csv").unlink()
    report = import_dataset(locate_workspace(photos), ImportOptions(classes="dog,cat"))
    assert report.table.states.tolist() == [[0, 0]] * 3
    assert report.table.class_names == ("dog", "cat")
    assert report.changed == ()


def test_trial_keeps_the_complete_labels_aside_and_the_test_split_whole(photos: Path) -> None:
    place = locate_workspace(photos)
    report = import_dataset(place, ImportOptions(known_proportion=0.0001))
    assert report.table.states.tolist() == [[0, 0], [0, 0], [1, 1]]
    complete = Dataset(place, read_only=True).complete
    assert complete is not None
    assert complete.tolist() == [[1, -1], [-1, 1], [1, 1]]
    assert place.info()["trial"] == {"known_proportion": 0.0001, "seed": 526}


def test_second_import_brings_new_images_and_keeps_decisions_and_the_former_table(photos: Path) -> None:
    place = locate_workspace(photos)
    import_dataset(place, ImportOptions())
    with Studio(place, who="ann") as studio:
        studio.decide(studio.image_ids[0], "dog", -1)
    photo(photos / "d.png")
    (photos / "labels.csv").write_text("image,dog,cat,leash\na.png,1,0,1\nd.png,,1,\n")
    import_dataset(place, ImportOptions())
    with Studio(place) as studio:
        assert studio.class_names == ("dog", "cat", "leash")
        assert studio.states.tolist() == [[-1, -1, 1], [0, 0, 0], [0, 0, 0], [0, 1, 0]]
        studio.ledger.undo("ann")
        assert studio.states[0].tolist() == [1, -1, 1]
    (former,) = place.labels_file.parent.glob("labels-*.npz")
    assert load_table(former).num_images == 3


def test_broken_image_is_refused_or_left_out_and_listed(photos: Path) -> None:
    (photos / "b.png").write_bytes(b"no picture")
    place = locate_workspace(photos)
    with pytest.raises(StudioError, match=r"b\.png"):
        import_dataset(place, ImportOptions())
    assert not place.exists
    report = import_dataset(place, ImportOptions(skip_bad=True))
    assert report.table.paths == ("a.png", "c.png")
    assert [bad.split(":")[0] for bad in place.info()["bad_images"]] == ["b.png"]


def test_names_that_are_not_utf8_are_refused(photos: Path) -> None:
    odd = photos.rename(photos.with_name("caf\udce9"))
    with pytest.raises(StudioError, match=r"the name .*/caf\\xe9 is not UTF-8"):
        import_dataset(locate_workspace(odd), ImportOptions())
    assert not (odd / ".logicmix").exists()
    photos = odd.rename(photos)
    (photos / "labels.csv").rename(photos / "lab\udce9ls.csv")
    with pytest.raises(StudioError, match=r"lab\\xe9ls.csv: this name is not UTF-8"):
        import_dataset(locate_workspace(photos), ImportOptions(classes="cat"))
    with pytest.raises(StudioError, match=r"lab\\xe9ls.csv is not UTF-8"):
        import_dataset(locate_workspace(photos), ImportOptions(labels=photos / "lab\udce9ls.csv"))


def test_complete_labels_of_another_import_are_refused(photos: Path) -> None:
    place = locate_workspace(photos)
    import_dataset(place, ImportOptions(known_proportion=0.5))
    other = LabelTable.build(["x.png"], ("dog", "cat"), np.ones((1, 2), np.int8), [""])
    save_table(place.complete_file, other)
    with pytest.raises(StudioError, match="does not fit"):
        Dataset(place, read_only=True)


def test_import_without_a_trial_puts_an_earlier_trials_truth_aside(photos: Path) -> None:
    place = locate_workspace(photos)
    import_dataset(place, ImportOptions(known_proportion=0.5))
    truth = place.complete_file.read_bytes()
    import_dataset(place, ImportOptions())
    assert not place.complete_file.exists()
    (kept,) = place.complete_file.parent.glob("complete-*.npz")
    assert kept.read_bytes() == truth


def test_a_new_import_mends_a_broken_table(photos: Path) -> None:
    place = locate_workspace(photos)
    import_dataset(place, ImportOptions())
    place.labels_file.write_bytes(b"broken")
    assert import_dataset(place, ImportOptions()).table.num_images == 3


def test_made_tables_are_marked_as_the_demo(photos: Path) -> None:
    place = locate_workspace(photos)
    table = LabelTable.build(["a.png"], ("dog",), np.zeros((1, 1), np.int8), [""])
    store_tables(place, table, table, ["made"])
    assert place.info()["demo"]
    assert place.info()["notes"] == ["made"]


# import again --------------------------------------------------------------------------------------------------------


def test_again_uses_the_options_of_the_first_time(photos: Path, tmp_path: Path) -> None:
    (photos / "labels.csv").rename(photos / "truth.csv")
    (photos / "other.csv").write_text("image,bird\na.png,1\n")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    options = ImportOptions(labels=photos / "truth.csv", classes=str(tmp_path / "classes.txt"), skip_bad=True)
    with Studio.open(photos, options=options) as studio:
        assert studio.info["options"]["labels"] == "truth.csv"
        (photos / "z.png").write_bytes(b"no picture")
        photo(photos / "d.png")
        (tmp_path / "classes.txt").write_text("cat\ndog\nfox\n")
        report = studio.import_again()
        assert report.changed == ("New photographs: 1.", "New classes: fox.")
        assert studio.class_names == ("cat", "dog", "fox")
        assert studio.table.paths == ("a.png", "b.png", "c.png", "d.png")
        assert studio.info["bad_images"]


def lose_the_table_of_a_trial(photos: Path) -> tuple[Workspace, LabelTable]:
    """Import as defaults would not, lose the imported table and return what it was."""
    (photos / "labels.csv").rename(photos / "truth.csv")
    (photos / "other.csv").write_text("image,bird\na.png,1\n")
    place = locate_workspace(photos)
    import_dataset(place, ImportOptions(labels=photos / "truth.csv", known_proportion=0.5, seed=1))
    table = load_table(place.labels_file)
    place.labels_file.unlink()
    return place, table


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_reading_never_imports(photos: Path) -> None:
    lose_the_table_of_a_trial(photos)
    before = contents(photos)
    with pytest.raises(StudioError, match=r"labels\.npz is missing"):
        Studio.open(photos, read_only=True)
    with pytest.raises(StudioError, match=r"labels\.npz is missing"):
        collect_status(photos, None)
    assert contents(photos) == before


def test_status_writes_nothing(photos: Path) -> None:
    with Studio.open(photos) as studio:
        studio.decide(studio.image_ids[0], "dog", -1)
    place = locate_workspace(photos)
    place.journal_file.write_bytes(place.journal_file.read_bytes() + b"not finished")
    place.settings_file.write_text("broken")
    before = contents(photos)
    assert len(collect_status(photos, None)["warnings"]) == 2
    assert contents(photos) == before


def test_a_lost_table_is_imported_as_it_was(photos: Path) -> None:
    place, table = lose_the_table_of_a_trial(photos)
    truth = load_table(place.complete_file)
    with Studio.open(photos) as studio:
        assert studio.class_names == ("dog", "cat")
        np.testing.assert_array_equal(studio.states, table.states)
        np.testing.assert_array_equal(studio.complete, truth.states)


def test_import_without_options_reads_as_the_last_time(photos: Path) -> None:
    place, table = lose_the_table_of_a_trial(photos)
    assert run_import(photos, None, ImportOptions())["classes"] == 2
    np.testing.assert_array_equal(load_table(place.labels_file).states, table.states)
    assert run_import(photos, None, ImportOptions(labels=photos / "other.csv"))["classes"] == 1


def test_again_after_the_folder_was_moved(photos: Path) -> None:
    import_dataset(locate_workspace(photos), ImportOptions(labels=photos / "labels.csv"))
    moved = photos.rename(photos.with_name("moved"))
    with Studio.open(moved) as studio:
        assert studio.import_again().changed == ("Nothing has changed in the folder.",)


def test_again_reports_what_is_new_and_gone_and_keeps_answers(photos: Path) -> None:
    with Studio.open(photos, who="ada") as studio:
        studio.decide(studio.image_ids[0], "dog", -1)
        (photos / "b.png").unlink()
        photo(photos / "d.png")
        (photos / "labels.csv").write_text("image,dog,fox\na.png,0,1\nc.png,1,\nd.png,1,1\n")
        told: list[str] = []
        report = studio.import_again(who="grace", progress=lambda done, total, what: told.append(what))
        assert report.changed == (
            "New photographs: 1.",
            "New classes: fox.",
            "Imported labels that changed: 1.",
            "Imported labels that are gone: 4.",
            "Photographs that are gone: 1; the journal keeps their answers.",
            "Classes that are gone: cat.",
        )
        assert "reading labels" in told
        assert studio.states.tolist() == [[-1, 1], [1, 0], [1, 1]]
        note = studio.ledger.lines[-1]
        assert (note.kind, note.who, note.origin) == ("note", "grace", "dataset")
        assert note.note.startswith("imported again: New photographs: 1.")
        studio.undo()
        assert studio.states[0].tolist() == [1, 1]


def test_again_leaves_hidden_what_a_trial_hid(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    names = [f"{i:02d}.png" for i in range(1, 40)]
    for name in names:
        photo(folder / name)
    rows = [f"{name},{i % 2},{i % 3 % 2}\n" for i, name in enumerate(names)]
    (folder / "labels.csv").write_text("image,dog,cat\n" + "".join(rows))
    with Studio.open(folder, options=ImportOptions(known_proportion=0.5)) as studio:
        before = studio.states.copy()
        photo(folder / "00.png")
        (folder / "labels.csv").write_text("image,dog,cat\n00.png,1,1\n" + "".join(rows))
        studio.import_again()
        assert studio.table.paths[0] == "00.png"
        assert studio.states[1:].tolist() == before.tolist()
        assert studio.complete is not None
        assert studio.complete[0].tolist() == [1, 1]


def test_again_keeps_the_truth_of_the_demo(photos: Path) -> None:
    place = locate_workspace(photos)
    known = LabelTable.build(["a.png", "b.png"], ("dog", "cat"), [[1, 0], [0, 1]])
    store_tables(place, known, LabelTable.build(["a.png", "b.png"], ("dog", "cat"), [[1, 1], [-1, 1]]))
    with Studio(place) as studio:
        studio.import_again()
        assert studio.info["demo"]
        assert studio.complete is not None
        assert studio.complete.tolist() == [[1, 1], [-1, 1], [0, 0]]


def test_again_counts_decisions_that_are_not_kept_and_export_says_so(photos: Path, tmp_path: Path) -> None:
    with Studio.open(photos, who="ada") as studio:
        studio.decide(studio.image_ids[0], "dog", -1)
        studio.decide(studio.image_ids[1], "cat", -1)
        studio.decide(studio.image_ids[2], "cat", -1)
        studio.decide(studio.image_ids[2], "cat", 0)
        (photos / "b.png").unlink()
        (photos / "labels.csv").write_text("image,cat\na.png,0\nc.png,1\n")
        told = "Decisions about images or classes that are gone: 2; the journal keeps them."
        assert told in studio.import_again().notes
        assert told in studio.export(tmp_path / "labels.csv").lines
        with pytest.raises(StudioError, match="that are gone: 2"):
            studio.export(tmp_path / "strict.csv", strict=True)


def test_a_moved_picture_keeps_its_answers_and_a_new_one_in_its_place_has_none(photos: Path) -> None:
    for name, colour in (("a", "red"), ("b", "blue"), ("c", "green")):
        Image.new("RGB", (8, 8), colour).save(photos / f"{name}.png")
    (photos / "labels.csv").unlink()
    with Studio.open(photos, who="ada", options=ImportOptions(classes="dog,cat")) as studio:
        ids = dict(zip(studio.table.paths, studio.image_ids, strict=True))
        studio.decide(ids["a.png"], "dog", -1)
        (photos / "new").mkdir()
        (photos / "a.png").rename(photos / "new" / "first.png")
        Image.new("RGB", (8, 8), "yellow").save(photos / "a.png")
        (photos / "b.png").rename(photos / "d.png")
        (photos / "d.png").with_name("e.png").write_bytes((photos / "d.png").read_bytes())
        studio.import_again()
        assert studio.table.paths == ("a.png", "c.png", "d.png", "e.png", "new/first.png")
        report = studio.import_again()
        assert report.changed == ("Nothing has changed in the folder.",)
        now = dict(zip(studio.table.paths, studio.image_ids, strict=True))
        assert (now["c.png"], now["new/first.png"]) == (ids["c.png"], ids["a.png"])
        # Two files have the content of b.png: neither is it.
        assert not {ids["a.png"], ids["b.png"]} & {now["a.png"], now["d.png"], now["e.png"]}
        (photos / "c.png").rename(photos / "swap.png")
        (photos / "a.png").rename(photos / "c.png")
        (photos / "swap.png").rename(photos / "a.png")
        studio.import_again()
        swapped = dict(zip(studio.table.paths, studio.image_ids, strict=True))
        assert (swapped["a.png"], swapped["c.png"]) == (now["c.png"], now["a.png"])


def test_a_renamed_picture_is_followed_by_its_content(photos: Path) -> None:
    Image.new("RGB", (8, 8), "blue").save(photos / "b.png")
    (photos / "labels.csv").unlink()
    with Studio.open(photos, who="ada", options=ImportOptions(classes="dog,cat")) as studio:
        studio.decide(studio.image_ids[1], "dog", -1)
        before = studio.image_ids[1]
        (photos / "b.png").rename(photos / "z.png")
        report = studio.import_again()
        assert "Photographs that were moved, and keep their answers: 1." in report.notes
        assert report.changed == ("Nothing has changed in the folder.",)
        assert (studio.table.paths, studio.states[2].tolist()) == (("a.png", "c.png", "z.png"), [-1, 0])
        Image.new("RGB", (8, 8), "yellow").save(photos / "b.png")
        assert studio.import_again().changed == ("New photographs: 1.",)
        assert studio.states.tolist() == [[0, 0], [0, 0], [0, 0], [-1, 0]]
        studio.undo()
        assert studio.image_ids[3] == before
        assert studio.states[3].tolist() == [0, 0]


def test_an_export_in_the_folder_is_no_label_file(photos: Path) -> None:
    (photos / "labels.csv").unlink()
    with Studio.open(photos, options=ImportOptions(classes="dog,cat")) as studio:
        studio.decide(studio.image_ids[0], "dog", -1)
        studio.export(photos / "labels.csv")
        studio.export(photos / "labels.csv", "csv-wide")
        studio.import_again()
        assert studio.table.states.tolist() == [[0, 0]] * 3
        assert studio.workspace.exports_file.read_text() == "labels.csv\n"


def test_no_labels_and_chosen_columns_are_remembered(photos: Path) -> None:
    with Studio.open(photos, options=ImportOptions(labels=NO_LABELS, classes="fox")) as studio:
        assert studio.import_again().table.class_names == ("fox",)
    with Studio.open(photos, workspace=photos / "else", options=ImportOptions(columns="cat")) as studio:
        assert studio.import_again().table.class_names == ("cat",)
        assert studio.states.tolist() == [[-1], [1], [1]]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_again_stopped_anywhere_leaves_a_studio_that_opens(
    photos: Path, stop_at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    place = locate_workspace(photos)
    import_dataset(place, ImportOptions(known_proportion=0.5))
    with Studio(place, who="ada") as studio:
        studio.decide(studio.image_ids[0], "dog", -1)
    photo(photos / "d.png")
    (photos / "labels.csv").write_text("image,split,dog\na.png,train,1\nd.png,train,1\n")
    stop_at(number)
    with pytest.raises(MachineStoppedError):
        import_dataset(place, ImportOptions.recall(place))
    monkeypatch.undo()
    with Studio(place, who="ada") as studio:
        assert studio.states[0, 0] == -1
        assert studio.complete is not None
        studio.undo()
        studio.redo()
        assert studio.import_again().table.num_images == 4


# classes -------------------------------------------------------------------------------------------------------------


def test_an_added_class_is_unknown_everywhere_and_stays(photos: Path) -> None:
    with Studio.open(photos, who="ada") as studio:
        studio.add_class("  wet   dog ", who="grace")
        assert studio.class_names == ("dog", "cat", "wet dog")
        assert studio.states[:, 2].tolist() == [0, 0, 0]
        note = studio.ledger.lines[-1]
        assert (note.kind, note.who, note.note) == ("note", "grace", "added the class 'wet dog'")
        studio.decide(studio.image_ids[0], "wet dog", 1)
        studio.import_again()
        assert studio.states[:, 2].tolist() == [1, 0, 0]
    with Studio.open(photos) as studio:
        assert studio.states[:, 2].tolist() == [1, 0, 0]
        assert load_table(studio.workspace.labels_file).class_names == studio.class_names


def test_a_first_class_in_a_folder_without_any(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(class_names=[], runs=0)
    studio.add_class("dog")
    assert studio.states.shape == (24, 1)


def test_a_renamed_class_keeps_everything(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(trial=True)
    studio.decide(studio.image_ids[0], "circle", 1)
    studio.settings.update({"thresholds": {"positive": {"circle": 0.7}, "negative": {"circle": 0.8}}})
    before = (
        studio.states.tolist(),
        studio.proposed.array().tolist(),
        studio.proposed.thresholds.to_json("abcdef"),
    )
    assert studio.proposed.current is not None
    scores = studio.proposed.current.scores.copy()
    studio.rename_class("circle", "disc")
    assert studio.class_names[0] == "disc"
    now = (
        studio.states.tolist(),
        studio.proposed.array().tolist(),
        studio.proposed.thresholds.to_json("abcdef"),
    )
    assert now == before
    assert studio.proposed.current is not None
    assert np.array_equal(studio.proposed.current.scores, scores)
    assert studio.proposed.current.is_scored.all()
    assert "disc" in studio.proposed.current.result["ap"]
    assert studio.complete is not None
    assert (studio.complete != 0).all()
    assert studio.ledger.history(studio.image_ids[0], "circle")[0].cells[0].class_name == "disc"
    studio.decide(studio.image_ids[1], "circle", 1)
    assert studio.ledger.lines[-1].cells[0].class_name == "disc"
    studio.undo()
    studio.undo()
    assert studio.states[0, 0] == load_table(studio.workspace.labels_file).states[0, 0]


def test_a_class_renamed_twice_and_back(photos: Path) -> None:
    with Studio.open(photos, who="ada") as studio:
        studio.decide(studio.image_ids[0], "dog", -1)
        studio.rename_class("dog", "hound")
        studio.rename_class("hound", "puppy")
        assert studio.info["renamed"] == {"dog": "puppy", "hound": "puppy"}
        assert studio.states[0].tolist() == [-1, -1]
        studio.rename_class("puppy", "dog")
        assert studio.info["renamed"] == {"hound": "dog", "puppy": "dog"}
        assert studio.class_names == ("dog", "cat")
        studio.undo()
        assert studio.states[0].tolist() == [1, -1]


def test_a_renamed_class_is_found_in_the_label_file(photos: Path) -> None:
    with Studio.open(photos) as studio:
        studio.rename_class("dog", "hound")
        studio.add_class("fox")
        studio.rename_class("fox", "vixen")
        assert studio.import_again().changed == ("Nothing has changed in the folder.",)
        assert studio.class_names == ("hound", "cat", "vixen")
        (photos / "labels.csv").write_text("image,dog,hound\na.png,1,0\n")
        with pytest.raises(StudioError, match="'dog' and 'hound' are one class by now"):
            studio.import_again()
        assert studio.class_names == ("hound", "cat", "vixen")


@pytest.mark.parametrize(
    ("name", "why"), [(" ", "needs a name"), ("cat", "already"), ("dog", "was the name of 'hound' before")]
)
def test_names_that_are_taken(photos: Path, name: str, why: str) -> None:
    with Studio.open(photos) as studio:
        studio.rename_class("dog", "hound")
        with pytest.raises(StudioError, match=why):
            studio.add_class(name)
        with pytest.raises(StudioError, match="already" if name == "cat" else why):
            studio.rename_class("cat", name)
        with pytest.raises(StudioError, match="no class 'fox'"):
            studio.rename_class("fox", "vixen")
        assert studio.class_names == ("hound", "cat")


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("change", ["add", "rename"])
def test_a_change_stopped_anywhere_happened_or_did_not(
    photos: Path, stop_at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, change: str, number: int
) -> None:
    place = locate_workspace(photos)
    with Studio.open(photos, options=ImportOptions(known_proportion=0.9), who="ada") as studio:
        studio.decide(studio.image_ids[0], "dog", -1)
        stop_at(number)
        with pytest.raises(MachineStoppedError):
            studio.add_class("fox") if change == "add" else studio.rename_class("dog", "hound")
        monkeypatch.undo()
    with Studio(place, who="ada") as studio:
        expected = {"add": ("dog", "cat", "fox"), "rename": ("hound", "cat")}[change]
        assert studio.class_names == (("dog", "cat") if number == 1 else expected)
        assert studio.states[0, 0] == -1
        assert studio.complete is not None
        assert studio.complete[:, :2].tolist() == [[1, -1], [-1, 1], [1, 1]]
        studio.undo()
        studio.redo()
        assert studio.states[0, 0] == -1


def test_a_read_only_studio_changes_nothing(photos: Path) -> None:
    Studio.open(photos).close()
    with Studio.open(photos, read_only=True) as studio:
        for change in (
            lambda: studio.add_class("fox"),
            lambda: studio.rename_class("dog", "x"),
            studio.import_again,
        ):
            with pytest.raises(StudioError, match="holds no lock"):
                change()


def test_a_thousand_classes(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(class_names=[f"class {i}" for i in range(1000)], num_images=6, runs=0)
    studio.rename_class("class 500", "middle")
    studio.add_class("last")
    assert (studio.class_names[500], studio.class_names[1000]) == ("middle", "last")


# reload --------------------------------------------------------------------------------------------------------------


def test_reload_makes_services_anew_and_tells_listeners(studio: Studio) -> None:
    told: list[tuple[str, ...]] = []
    studio.on_reload(lambda: told.append(studio.class_names))
    overview, jobs, lock = studio.overview, studio.jobs, studio.lock
    studio.add_class("new")
    assert told == [("circle", "square", "triangle", "star", "cross", "ring", "new")]
    assert studio.overview is not overview
    assert (studio.jobs, studio.lock) == (jobs, lock)
    assert len(studio.overview.classes()) == 7


def test_a_failed_reload_leaves_the_studio_as_it_was(studio: Studio) -> None:
    dataset = studio.dataset
    studio.workspace.labels_file.write_bytes(b"broken")
    with pytest.raises(StudioError, match="broken"):
        studio.reload()
    assert studio.dataset is dataset
    studio.decide(studio.image_ids[0], "circle", 1)


def test_whoever_waits_while_it_is_read_anew_is_told_to_ask_again(studio: Studio) -> None:
    before: Ledger = studio.ledger
    studio.reload()
    with pytest.raises(RuntimeError, match="ask again"):
        before.decide([Decision(studio.image_ids[0], "circle", 1)], who="ada", origin="python")
    assert studio.ledger.seq == 0


def test_decisions_beside_a_change_are_kept_or_refused(studio: Studio) -> None:
    acknowledged: list[str] = []
    is_over = threading.Event()

    def decide() -> None:
        while not is_over.is_set():
            for image_id in studio.image_ids:
                try:
                    receipt = studio.decide(image_id, "ring", -(int(studio.states[0, 5]) or -1))
                except RuntimeError:
                    continue
                if receipt.line is not None:
                    acknowledged.append(receipt.line.id)

    person = threading.Thread(target=decide)
    person.start()
    for i in range(5):
        studio.add_class(f"new {i}")
        studio.rename_class(f"new {i}", f"newer {i}")
    is_over.set()
    person.join()
    found = {line.id for line in studio.ledger.lines}
    assert acknowledged
    assert set(acknowledged) <= found
    seqs = [line.seq for line in studio.ledger.lines]
    assert seqs == list(range(1, len(seqs) + 1))
