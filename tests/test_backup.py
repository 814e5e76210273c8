"""A workspace in one file, and back; what is compared when somebody verifies one."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from logicmix_studio.backup import BACKUP, back_up, restore
from logicmix_studio.errors import StudioError
from logicmix_studio.store import Workspace, locate_workspace
from logicmix_studio.studio import Studio
from logicmix_studio.verify import check_dataset, verify


def verdicts(workspace: Workspace) -> dict[str, str]:
    return {check.name: check.verdict for check in verify(workspace)}


@pytest.fixture
def workspace(open_studio: Callable[..., Studio]) -> Workspace:
    """A workspace with a run and two decisions; its studio is still open."""
    studio = open_studio()
    studio.decide(studio.image_ids[0], "circle", 1)
    studio.decide(studio.image_ids[1], "star", -1)
    studio.settings.update({"goal": 0.7})
    return studio.workspace


def test_back_up__and_restore_bring_everything_back(workspace: Workspace, tmp_path: Path) -> None:
    file, told = tmp_path / "backup.zip", []
    done = back_up(workspace, file, progress=lambda *step: told.append(step))
    assert done.num_bytes == file.stat().st_size
    assert len(told) == done.num_files
    other = tmp_path / "elsewhere" / "photos"
    shutil.copytree(workspace.root, other, ignore=shutil.ignore_patterns(".logicmix"))
    place = locate_workspace(other)
    assert restore(file, place) == done.num_files
    assert not (place.folder / "lock").exists()
    with Studio(workspace, read_only=True) as before, Studio(place) as after:
        assert (after.states == before.states).all()
        assert after.settings.get("goal") == 0.7
        assert [line.id for line in after.ledger.lines] == [line.id for line in before.ledger.lines]
        assert (after.proposed.array() == before.proposed.array()).all()
        assert after.proposed.array().any()
        after.decide(after.image_ids[2], "star", 1)


def test_back_up__without_runs_keeps_the_answers(workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, tmp_path / "backup.zip", with_runs=False)
    place = Workspace(workspace.root, tmp_path / "restored")
    restore(tmp_path / "backup.zip", place)
    with Studio(place, read_only=True) as after:
        assert after.ledger.seq == 2
        assert after.jobs.list() == []


def test_back_up__of_no_workspace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="is no workspace"):
        back_up(locate_workspace(tmp_path), tmp_path / "backup.zip")
    assert not (tmp_path / "backup.zip").exists()


def test_restore__never_writes_over_a_workspace(workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, tmp_path / "backup.zip")
    with pytest.raises(StudioError, match="there is a workspace already"):
        restore(tmp_path / "backup.zip", workspace)
    assert Studio(workspace, read_only=True).ledger.seq == 2


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "runs/../../evil", "a\\..\\b"])
def test_restore__puts_nothing_outside_the_workspace(name: str, workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, tmp_path / "backup.zip")
    with zipfile.ZipFile(tmp_path / "backup.zip", "a") as archive:
        archive.writestr(name, "x")
    place = Workspace(workspace.root, tmp_path / "inner" / "restored")
    with pytest.raises(StudioError, match="no file of a backup"):
        restore(tmp_path / "backup.zip", place)
    assert not place.folder.exists()


def test_restore__of_what_is_no_backup_says_so_and_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    whole, place = tmp_path / "backup.zip", Workspace(workspace.root, tmp_path / "restored")
    back_up(workspace, whole)
    content = whole.read_bytes()
    later = tmp_path / "later.zip"
    with zipfile.ZipFile(later, "w") as archive:
        archive.writestr(BACKUP.manifest, json.dumps({"format": 99}))
    (tmp_path / "cut.zip").write_bytes(content[: len(content) // 2])
    (tmp_path / "flipped.zip").write_bytes(content[:5000] + bytes([content[5000] ^ 0xFF]) + content[5001:])
    (tmp_path / "other.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    for name, words in {
        "none.zip": "there is no such file",
        "cut.zip": "is damaged",
        "flipped.zip": "is damaged",
        "other.zip": "no backup",
        "later.zip": "another format",
    }.items():
        with pytest.raises(StudioError, match=words):
            restore(tmp_path / name, place)
        assert not place.folder.exists(), name


def test_verify__names_what_is_wrong(workspace: Workspace) -> None:
    assert verdicts(workspace) == dict.fromkeys(("journal", "arrays", "runs", "images", "data set"), "good")
    (workspace.runs / "0001" / "config.json").write_text("{", encoding="utf-8")
    image = next(workspace.root.rglob("*.png"), None) or next(workspace.root.rglob("*.jpg"))
    image.unlink()
    with workspace.journal_file.open("ab") as journal:
        journal.write(b"no line\n")
    found = {check.name: check for check in verify(workspace)}
    assert {name: check.verdict for name, check in found.items()} == {
        "journal": "bad",
        "arrays": "good",
        "runs": "warn",
        "images": "warn",
        "data set": "good",
    }
    assert "journal.jsonl:3" in found["journal"].found
    assert "config.json" in found["runs"].found
    assert image.name in found["images"].found


def test_doctor__finds_what_is_wrong_with_a_data_set(workspace: Workspace, tmp_path: Path) -> None:
    def found() -> dict[str, tuple[str, str]]:
        checks = check_dataset(workspace)
        assert all(check.hint for check in checks if check.verdict != "good")
        return {check.name: (check.verdict, check.found) for check in checks}

    assert {verdict for verdict, _ in found().values()} == {"good"}
    workspace.settings_file.write_text('{"goal": "x"}', encoding="utf-8")
    workspace.audits.mkdir(exist_ok=True)
    (workspace.audits / "0001.json").write_text("{", encoding="utf-8")
    told = found()
    assert told["journal"][0] == "good"
    assert told["settings"][0] == told["audits"][0] == "warn"
    assert "goal is 'x'" in told["settings"][1]
    assert "0001.json" in told["audits"][1]
    workspace.labels_file.unlink()
    verdict, words = found()["workspace"]
    assert verdict == "bad"
    assert "labels.npz" in words
    (tmp_path / "new").mkdir()
    assert check_dataset(locate_workspace(tmp_path / "new"))[0].found.endswith("has not been imported yet")
