import csv
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from logicmix_studio import Studio, StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from tests.served import serving
from tests.workspaces import draw_images, make_workspace

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CLASSES = ("dog", "cat", "leash")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "photos", num_images=36, runs=1).root


@pytest.fixture
def studio(root: Path) -> Iterator[Studio]:
    with Studio.open(root, who="ada") as opened:
        yield opened


def unknown_cell(studio: Studio) -> tuple[str, str]:
    row, column = np.argwhere(studio.states == UNKNOWN)[0]
    return studio.image_ids[row], studio.class_names[column]


def state_of(studio: Studio, image_id: str, class_name: str) -> int:
    return int(studio.states[studio.image_ids.index(image_id), studio.class_names.index(class_name)])


def write_photos(folder: Path, num_images: int = 48) -> None:
    """Draw images whose labels stand in a CSV file, a third of them left out."""
    random = np.random.default_rng(3)
    truth = np.where(random.random((num_images, len(CLASSES))) < 0.5, 1, -1).astype(np.int8)
    truth[0] = (-1, 0, 0)
    names = [f"{i:03d}.jpg" for i in range(num_images)]
    draw_images(folder, names, truth, side=64)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *CLASSES])
        for name, row in zip(names, truth, strict=True):
            is_known = random.random(len(CLASSES)) < 0.67
            known = zip(row, is_known, strict=True)
            writer.writerow([name, *("" if not seen else int(state > 0) for state, seen in known)])


# the page ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photos(tmp_path / "photos")
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) >= 8
    with ExitStack() as stack:

        def serve(folder: str) -> str:
            return stack.enter_context(serving(stack.enter_context(Studio.open(folder))))

        names: dict[str, object] = {"serve": serve}
        for place, block in enumerate(blocks):
            exec(compile(block, f"{PAGE}, example {place + 1}", "exec"), names)
    said = capsys.readouterr().out
    assert "photos 48 images ('dog', 'cat', 'leash')" in said
    assert "hidden on purpose:" in said
    assert re.search(r"run 1 finished, (mAP [01]\.\d+ \(|no mAP yet: \d more)", said), said
    assert "nowhere is not a folder" in said
    with (tmp_path / "labels-today.csv").open(newline="") as file:
        sources = {row["source"] for row in csv.DictReader(file)}
    assert {"imported", "accepted", "pseudo"} <= sources
    with Studio.open(tmp_path / "photos", read_only=True) as opened:
        kinds = [line.kind for line in opened.ledger.lines]
    assert kinds == 2 * ["decide", "decide", "undo"]


def test_every_public_name_of_the_page_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in set(re.findall(r"\bstudio\.(\w+)", text)):
        assert hasattr(Studio, name) or name in (Studio.__doc__ or ""), name


# open and close ------------------------------------------------------------------------------------------------------


def test_open_imports_once(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", num_images=6)
    with Studio.open(tmp_path / "photos") as opened:
        assert opened.class_names == CLASSES
        assert opened.table.num_images == 6
        opened.decide(opened.image_ids[0], "dog", POSITIVE)
    (tmp_path / "photos" / "labels.csv").unlink()
    with Studio.open(tmp_path / "photos") as again:
        assert state_of(again, again.image_ids[0], "dog") == POSITIVE


def test_open_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="nowhere is not a folder"):
        Studio.open(tmp_path / "nowhere")


def test_only_one_may_write(root: Path) -> None:
    with Studio.open(root):
        with pytest.raises(StudioError) as refused:
            Studio.open(root)
        assert refused.value.hint
    Studio.open(root).close()


def test_close_twice_does_nothing(root: Path) -> None:
    opened = Studio.open(root)
    opened.close()
    opened.close()
    Studio.open(root).close()


def test_context_manager_closes_after_an_error(root: Path) -> None:
    with pytest.raises(ZeroDivisionError), Studio.open(root):
        1 / 0  # noqa: B018
    Studio.open(root).close()


def test_a_workspace_elsewhere_leaves_the_folder_alone(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", num_images=6)
    with Studio.open(tmp_path / "photos", workspace=tmp_path / "elsewhere"):
        pass
    assert (tmp_path / "elsewhere" / "workspace.json").exists()
    assert not (tmp_path / "photos" / ".logicmix").exists()


# read-only -----------------------------------------------------------------------------------------------------------


def test_read_only_sees_what_a_writer_has_decided(root: Path, studio: Studio) -> None:
    cell = unknown_cell(studio)
    studio.decide(*cell, POSITIVE)
    with Studio.open(root, read_only=True) as reader:
        assert state_of(reader, *cell) == POSITIVE


def test_read_only_refuses_to_decide(root: Path) -> None:
    with Studio.open(root, read_only=True) as reader:
        cell = unknown_cell(reader)
        with pytest.raises(StudioError):
            reader.decide(*cell, POSITIVE)
        assert state_of(reader, *cell) == UNKNOWN


def test_states_are_not_written_to_directly(studio: Studio) -> None:
    with pytest.raises(ValueError, match="read-only"):
        studio.states[0, 0] = POSITIVE


# decide, undo, redo --------------------------------------------------------------------------------------------------


def test_decide_is_on_disk_with_person_and_note(root: Path, studio: Studio) -> None:
    cell = unknown_cell(studio)
    receipt = studio.decide(*cell, NEGATIVE, note="looked twice")
    assert receipt.line is not None
    assert (receipt.line.who, receipt.line.origin, receipt.line.note) == ("ada", "python", "looked twice")
    assert state_of(studio, *cell) == NEGATIVE
    studio.close()
    with Studio.open(root) as again:
        assert state_of(again, *cell) == NEGATIVE


def test_decide_refuses_what_does_not_exist(studio: Studio) -> None:
    image, name = unknown_cell(studio)
    with pytest.raises(StudioError, match="dragon"):
        studio.decide(image, "dragon", POSITIVE)
    with pytest.raises(StudioError, match="f" * 24):
        studio.decide("f" * 24, name, POSITIVE)
    with pytest.raises(StudioError, match="2"):
        studio.decide(image, name, 2)
    assert studio.ledger.seq == 0


def test_accept_leaves_a_known_cell_alone(studio: Studio) -> None:
    cell = unknown_cell(studio)
    studio.decide(*cell, NEGATIVE)
    receipt = studio.decide(*cell, POSITIVE, answer="accept")
    assert [(skipped.image_id, skipped.class_name) for skipped in receipt.skipped] == [cell]
    assert state_of(studio, *cell) == NEGATIVE


def test_undo_and_redo(studio: Studio) -> None:
    cell = unknown_cell(studio)
    studio.decide(*cell, POSITIVE)
    studio.undo()
    assert state_of(studio, *cell) == UNKNOWN
    studio.redo()
    assert state_of(studio, *cell) == POSITIVE


def test_undo_of_nothing_is_refused(studio: Studio) -> None:
    with pytest.raises(StudioError, match="nothing to undo"):
        studio.undo()


# proposals -----------------------------------------------------------------------------------------------------------


def test_proposals_are_the_surest_first_and_never_on_a_known_cell(studio: Studio) -> None:
    found = studio.proposals()
    assert found
    confidences = [proposal.confidence for proposal in found]
    assert confidences == sorted(confidences, reverse=True)
    for proposal in found:
        assert state_of(studio, proposal.image_id, proposal.class_name) == UNKNOWN
        sure = proposal.score if proposal.value == POSITIVE else 1 - proposal.score
        assert proposal.confidence == pytest.approx(sure)
        assert proposal.confidence >= 0.95
        assert studio.image_path(proposal.image_id) == studio.workspace.root / proposal.path


def test_proposals_can_be_narrowed(studio: Studio) -> None:
    every = studio.proposals()
    assert {proposal.value for proposal in every} == {POSITIVE, NEGATIVE}
    name = every[0].class_name
    assert {proposal.class_name for proposal in studio.proposals(class_name=name)} == {name}
    assert {proposal.value for proposal in studio.proposals(value=NEGATIVE)} == {NEGATIVE}
    assert studio.proposals(limit=3) == every[:3]
    middle = every[len(every) // 2].confidence
    assert all(proposal.confidence >= middle for proposal in studio.proposals(min_confidence=middle))
    with pytest.raises(StudioError, match="dragon"):
        studio.proposals(class_name="dragon")


def test_a_settled_proposal_is_none_any_more(studio: Studio) -> None:
    first = studio.proposals()[0]
    studio.decide(first.image_id, first.class_name, first.value, answer="accept")
    assert first not in studio.proposals()
    studio.undo()
    assert first in studio.proposals()


def test_proposals_before_the_first_run(tmp_path: Path) -> None:
    make_workspace(tmp_path / "photos", runs=0)
    with Studio.open(tmp_path / "photos") as opened:
        assert opened.proposals() == []
        assert opened.proposed.current is None


# export --------------------------------------------------------------------------------------------------------------


def test_export_holds_decisions_and_marks_pseudo_labels(studio: Studio, tmp_path: Path) -> None:
    image, name = unknown_cell(studio)
    studio.decide(image, name, POSITIVE)
    studio.export(tmp_path / "labels.csv", "csv-long", proposals=True)
    with (tmp_path / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    path = studio.table.paths[studio.image_ids.index(image)]
    assert [row["source"] for row in rows if (row["image"], row["class"]) == (path, name)] == ["human"]
    assert sum(row["source"] == "pseudo" for row in rows) == len(studio.proposals())
    assert sum(row["source"] != "pseudo" for row in rows) == np.count_nonzero(studio.states)


def test_export_refuses_an_unknown_format(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="xyz"):
        studio.export(tmp_path / "labels.xyz", "xyz")
    assert not (tmp_path / "labels.xyz").exists()
