import json
import resource
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from PIL import Image

from logicmix_studio import __version__
from logicmix_studio.cli.commands import describe_run
from logicmix_studio.cli.main import main
from logicmix_studio.store import WorkspaceLock, locate_workspace
from logicmix_studio.training.run_folder import RunFolder
from tests.workspaces import make_workspace

COMMANDS = (
    "launch",
    "demo",
    "import",
    "fetch",
    "train",
    "export",
    "convert",
    "status",
    "rebuild",
    "fiftyone",
    "simulate",
    "stop",
    "doctor",
)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line in this process; return exit code, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["logicmix-studio", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def dataset(tmp_path):
    return make_workspace(tmp_path / "photos", num_images=24, trial=True).root


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Example: logicmix-studio {command}" in out


def test_help_names_every_command(run):
    code, out, _ = run("--help")
    assert code == 0
    for command in COMMANDS:
        assert f" {command} " in out


def test_help_answers_at_once():
    # Half a second on a quiet machine, nearly all of it computing; computing does not grow with the neighbours' load.
    assert min(_computing_seconds_of_help() for _ in range(3)) < 1.0


def _computing_seconds_of_help() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "logicmix_studio", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_wrong_usage_ends_with_2(run):
    assert run("train")[0] == 2
    assert run("launch", "photos", "--port", "99999")[0] == 2
    assert run("train", "photos", "--set", "no-equals-sign")[0] == 2
    assert run("import", "photos", "--seed", "-1")[0] == 2


def test_version(run):
    assert run("--version")[:2] == (0, f"logicmix-studio {__version__}\n")


def test_what_a_user_can_mend_ends_with_1(run, tmp_path):
    code, out, err = run("status", tmp_path / "nowhere")
    assert (code, out) == (1, "")
    assert "nowhere is not a folder" in err.replace("\n", " ")


def test_status_before_an_import_says_what_to_do(run, tmp_path):
    code, _, err = run("status", tmp_path)
    assert code == 1
    assert "logicmix-studio import" in err


def test_import_reads_labels_and_hides_some(run, tmp_path):
    root = make_workspace(tmp_path / "photos", num_images=24).root
    rows = ["image,circle,square", *(f"part{i % 3}/image-{i:05d}.jpg,1,0" for i in range(24))]
    (root / "labels.csv").write_text("\n".join(rows))
    code, out, _ = run("import", root, "--workspace", tmp_path / "else", "--known-proportion", "0.5", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["images"], found["classes"]) == (24, 2)
    assert 0 < found["unknown"] < 48
    assert found["unknown"] + found["positive"] + found["negative"] == 48
    assert "Trial" in found["notes"][-1]


def test_import_of_wrong_labels_names_file_and_line_and_imports_nothing(run, tmp_path):
    root = make_workspace(tmp_path / "photos", num_images=3).root
    (root / "labels.csv").write_text(
        "image,circle\npart0/image-00000.jpg,7\nnobody.jpg,1\n" + "part1/image-00001.jpg,1\n" * 3
    )
    code, _, err = run("import", root, "--workspace", tmp_path / "else")
    assert code == 1
    assert "labels.csv:2" in err
    assert "labels.csv:3" in err
    assert not locate_workspace(root, tmp_path / "else").exists


def test_a_second_import_says_what_changed(run, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("image,cat,dog\na.png,1,0\n")
    assert json.loads(run("import", tmp_path, "--json")[1])["changed"] == []
    (tmp_path / "labels.csv").write_text("image,cat\na.png,\n")
    out = run("import", tmp_path)[1]
    assert "Imported labels that are gone: 2." in out
    assert "Classes that are gone: dog." in out


def test_import_leaves_a_workspace_of_another_version_alone(run, tmp_path):
    place = make_workspace(tmp_path / "photos", num_images=3)
    place.info_file.write_text('{"format": 2}')
    code, _, err = run("import", place.root, "--classes", "circle")
    assert code == 1
    assert "has format 2, expected 1" in err
    assert place.info_file.read_text() == '{"format": 2}'


def test_status_counts(run, dataset):
    code, out, _ = run("status", dataset, "--json")
    status = json.loads(out)
    assert code == 0
    assert status["images"] == 24
    assert set(status["classes"]["circle"]) == {
        "positive",
        "negative",
        "unknown",
        "proposed_positive",
        "proposed_negative",
    }
    assert sum(status["classes"]["circle"][key] for key in ("positive", "negative", "unknown")) == 24
    assert status["current_run"] == 1
    assert status["server"] is None


def test_status_tells_what_a_run_was_measured_on_and_why_its_scores_are_shown(run, dataset):
    folder = RunFolder(locate_workspace(dataset).runs / "0001")
    figure = {"map": 0.43, "map_low": 0.38, "map_high": 0.47, "num_cells": 482, "num_positive": 39}
    folder.result_file.write_text(json.dumps({**figure, "num_measured_images": 301}))
    found = json.loads(run("status", dataset, "--json")[1])["runs"][0]
    assert found["map"] == 0.43
    assert found["measured"] == "mAP 0.43 (0.38 to 0.47) on 482 held-out cells of 301 images, 39 positive"
    assert "pseudo-labels: run 1 is the latest" in run("status", dataset)[1]


def test_train_ends_with_what_came_of_it_and_which_run_is_taken():
    told = {"run": 3, "recipe": "quick", "status": "finished", "message": "finished, mAP 0.43 (0.38 to 0.47) on …"}
    why = "run 3 can't be told from run 2 on 482 shared held-out cells (+0.012, −0.020 to +0.041): run 2 stays"
    assert describe_run({**told, "warnings": [], "current_run_reason": why}).splitlines() == [
        "run 3 (quick): finished, mAP 0.43 (0.38 to 0.47) on …",
        f"pseudo-labels: {why}",
    ]


def test_status_tells_what_a_run_warned_of(run, dataset):
    folder = RunFolder(locate_workspace(dataset).runs / "0001")
    folder.write_state(replace(folder.state(), warnings=("2 images cannot be read and are grey",)))
    assert "! 2 images cannot be read and are grey" in run("status", dataset)[1]
    assert json.loads(run("status", dataset, "--json")[1])["runs"][0]["warnings"] == [
        "2 images cannot be read and are grey"
    ]


@pytest.mark.parametrize("command", [["status"], ["export", "out.csv"], ["train"]])
def test_commands_that_need_an_import_make_none(run, tmp_path, command):
    folder = make_workspace(tmp_path / "photos", num_images=2).root
    shutil.rmtree(folder / ".logicmix")
    before = sorted(folder.rglob("*"))
    name, *more = command
    code, _, err = run(name, folder, *(tmp_path / one for one in more))
    assert code == 1
    assert "logicmix-studio import" in err
    assert sorted(folder.rglob("*")) == before


def test_status_works_while_a_studio_is_open(run, dataset):
    lock = WorkspaceLock(locate_workspace(dataset))
    code, out, _ = run("status", dataset)
    lock.release()
    assert code == 0
    assert "open at" in out


def test_export_says_what_is_lost(run, dataset, tmp_path):
    code, out, _ = run("export", dataset, tmp_path / "labels.csv", "--format", "csv-wide")
    assert code == 0
    assert (tmp_path / "labels.csv").read_text().startswith("image,")
    assert "not in the file:" in out


def test_export_reports_losses_as_json_and_strict_refuses_them(run, dataset, tmp_path):
    report = tmp_path / "lost.json"
    code, out, _ = run("export", dataset, tmp_path / "l.csv", "--format", "csv-list", "--report", report, "--json")
    assert code == 0
    assert json.loads(report.read_text()) == json.loads(out)
    assert {"negatives", "sources"} <= {loss["kind"] for loss in json.loads(out)["losses"]}
    code, _, err = run("export", dataset, tmp_path / "strict.csv", "--format", "csv-list", "--strict")
    assert code == 1
    assert "csv-list cannot hold everything: Negative cells" in err.replace("\n", " ")
    assert not (tmp_path / "strict.csv").exists()


def test_convert_keeps_labels_of_machines_where_that_is_asked(run, tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    Image.new("RGB", (8, 8)).save(root / "a.png")
    (root / "labels.csv").write_text("image,class,value,source,score\na.png,cat,1,pseudo,0.9\na.png,dog,0,human,\n")
    written = tmp_path / "machine.csv"
    assert run("convert", root, written, "--format", "open-images")[0] == 0
    assert written.read_text() == "ImageID,Source,LabelName,Confidence\na.png,verification,dog,0\n"
    assert run("convert", root, written, "--format", "open-images", "--with-pseudo")[0] == 0
    assert "a.png,machine,cat,0.9000\n" in written.read_text()


def test_convert_needs_no_workspace_and_reads_what_it_wrote(run, tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (4, 4)).save(root / f"{name}.png")
    (root / "labels.csv").write_text("image,split,cat,dog\na.png,train,1,0\nb.png,test,,1\n")
    code, _, err = run("convert", root, tmp_path / "coco.json", "--format", "coco-json")
    assert code == 0, err
    assert "csv-wide" in err
    assert run("convert", root, root / "again.csv", "--labels", tmp_path / "coco.json", "--format", "csv-wide")[0] == 0
    assert (root / "again.csv").read_text() == "image,split,cat,dog\na.png,train,1,0\nb.png,test,,1\n"
    assert sorted(path.name for path in root.iterdir()) == ["a.png", "again.csv", "b.png", "labels.csv"]


def test_export_to_an_unknown_format(run, dataset, tmp_path):
    code, _, err = run("export", dataset, tmp_path / "labels.xyz", "--format", "xyz")
    assert code == 1
    assert "use one of: csv-long, open-images" in err
    assert not (tmp_path / "labels.xyz").exists()


def test_exported_file_imports_to_the_same_states(run, dataset, tmp_path):
    before = json.loads(run("status", dataset, "--json")[1])["classes"]
    run("export", dataset, tmp_path / "labels.csv", "--with-pseudo")
    classes = ",".join(before)
    code, _, err = run(
        "import",
        dataset,
        "--workspace",
        tmp_path / "else",
        "--labels",
        tmp_path / "labels.csv",
        "--classes",
        classes,
    )
    assert code == 0, err
    after = json.loads(run("status", dataset, "--workspace", tmp_path / "else", "--json")[1])["classes"]
    for name, counts in before.items():
        assert [after[name][key] for key in ("positive", "negative", "unknown")] == [
            counts[key] for key in ("positive", "negative", "unknown")
        ]


def test_recipe_help_lists_every_hyper_parameter(run, dataset):
    code, out, _ = run("train", dataset, "--recipe", "2wayaug-pl", "--recipe-help", "--json")
    assert code == 0
    names = {field["name"] for field in json.loads(out)}
    assert {"mixing.probability", "loss.original_gamma_negative", "schedule.epochs"} <= names


def test_train_refuses_an_unknown_recipe_and_setting(run, dataset):
    code, _, err = run("train", dataset, "--recipe", "magic")
    assert code == 1
    assert "no recipe 'magic'" in err
    code, _, err = run("train", dataset, "--set", "head.magic=1")
    assert code == 1
    assert "head.magic" in err


def test_stop_without_a_studio(run, dataset):
    code, out, _ = run("stop", dataset)
    assert code == 0
    assert "no studio is open" in out


def test_doctor_finds_everything_and_says_the_port_is_taken(run):
    code, out, _ = run("doctor", "--port", "0", "--json")
    checks = {check["name"]: check for check in json.loads(out)}
    assert code == 0, out
    assert {check["verdict"] for name, check in checks.items() if name != "disk"} == {"good"}
    assert "MongoDB" in checks["mongod"]["found"]


def test_fetch_brings_a_folder_over_and_names_what_it_refuses(run, tmp_path):
    source, folder = tmp_path / "source", tmp_path / "photos"
    make_workspace(source, num_images=3, side=64)
    (source / "labels.csv").write_text("image,dog\n")
    (source / "broken.jpg").write_bytes(b"no picture")
    code, out, _ = run("fetch", source.as_uri(), folder, "--max-side", "32")
    assert code == 1
    assert out.splitlines()[0] == "4 files brought, 0 there already, 1 refused"
    assert out.splitlines()[1].startswith("broken.jpg: ")
    (source / "broken.jpg").unlink()
    assert run("fetch", source.as_uri(), folder, "--max-side", "32")[:2] == (
        0,
        "0 files brought, 4 there already, 0 refused\n",
    )
    code, out, _ = run("fetch", source.as_uri(), folder, "--json")
    assert (code, json.loads(out)) == (0, {"new": 4, "there": 0, "refused": {}})
    code, _, said = run("fetch", "s3://bucket/photos", folder)
    assert code == 1
    assert "Install s3fs" in said
