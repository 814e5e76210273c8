"""The plugin's operators and its panel in a real FiftyOne, without a browser."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from bson import json_util

from logicmix_studio.runs import Jobs
from logicmix_studio.store import Workspace, load_table, read_journal, save_table
from logicmix_studio.store.fiftyone.create import set_up
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import RECIPES, RunConfig
from logicmix_studio.training.pseudo_labels import count_pseudo
from logicmix_studio.training.reporter import Reporter
from logicmix_studio.training.run_folder import RunFolder
from tests.launched import wait_until
from tests.review_server import ServerProcess
from tests.workspaces import add_run, make_workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STATES = np.array([[0, 0], [0, 0], [0, -1], [1, 0]], dtype=np.int8)
PROPOSALS = np.array([[1, -1], [1, 1], [-1, 0], [0, 0]], dtype=np.int8)
SCORES = np.array([[0.96, 0.01], [0.97, 0.98], [0.01, 0.5], [0.03, 0.5]])
URI = "@logicmix/studio/"
FILTERS = {"pseudo_positive.classifications.label": {"values": ["dog"], "exclude": False, "isMatching": False}}
"""As the App's side bar sends them."""


def execute(name, context):
    """Execute an operator in a thread of its own: a browser's event loop may run in this one."""
    import fiftyone.operators as foo

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(foo.execute_operator, f"{URI}{name}", context).result()
    json_util.dumps(done.to_json())  # as it goes to the App
    return done


class Plugin(SimpleNamespace):
    """A data set of the studio's with pseudo-labels, and its operators."""

    def call(self, name, selected=(), dataset=None, view=None, **params):
        context = {
            "dataset": self.dataset if dataset is None else dataset,
            "selected": list(selected),
            "params": params,
            "view": view,
        }
        return execute(name, {key: value for key, value in context.items() if value is not None})

    def form(self, name, selected=(), dataset=None, **params):
        """The properties of an operator's form, and all it says."""
        import fiftyone.operators as foo

        asked = {
            "dataset_name": (self.dataset if dataset is None else dataset).name,
            "params": params,
            "selected": list(selected),
        }
        context = foo.executor.ExecutionContext(asked)
        form = foo.get_operator(f"{URI}{name}").resolve_input(context).to_json()
        return form["type"]["properties"], json.dumps(form)

    def button(self, name, dataset=None):
        import fiftyone.operators as foo

        name_of = (self.dataset if dataset is None else dataset).name
        context = foo.executor.ExecutionContext({"dataset_name": name_of, "params": {}})
        placement = foo.get_operator(f"{URI}{name}").resolve_placement(context)
        return None if placement is None else placement.to_json()["view"]

    def labels(self, *fields):
        self.dataset.reload()
        columns = self.dataset.values(["id", *(f"{field}.classifications.label" for field in fields)])
        return {
            image_id: tuple(sorted(names or ()) for names in rest) for image_id, *rest in zip(*columns, strict=True)
        }

    def last(self):
        """Class and state of every cell of the journal's last line."""
        return [(cell.class_name, cell.answer, cell.after.state) for cell in list(self.lines())[-1].cells]

    def panel(self, method, selected=(), state=None, dataset=None):
        """All that the panel asks the App for, and the state that it keeps there."""
        told = {"__method__": method, "panel_id": "p", "state": {}, "panel_state": state or {}, "event_args": {}}
        requests = self.call("logicmix_panel", selected, dataset, **told).executor.to_json()["requests"]
        kept = {key: value for one in requests for key, value in one["params"].get("state", {}).items()}
        return json.dumps(requests, default=str, ensure_ascii=False), kept

    def lines(self):
        return read_journal(self.workspace.journal_file)


@pytest.fixture
def plugin(tmp_path, fiftyone, mongod, monkeypatch) -> Plugin:
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", mongod.ensure())
    names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    folder = tmp_path / f"pets-{tmp_path.name}"
    workspace = make_workspace(folder, num_images=4, class_names=["dog", "cat"], paths=names, runs=0)
    table = replace(load_table(workspace.labels_file), states=STATES, splits=("train",) * 4)
    save_table(workspace.labels_file, table)
    set_up(workspace, mongod.ensure())
    with Studio(workspace) as studio:
        sync = studio.follow()
        assert sync.wait_until_written(60)
        sync._worker.write_proposals(3, PROPOSALS, SCORES)
        assert sync.wait_until_written(20)
        name = sync._worker.dataset_name
    return Plugin(dataset=fiftyone.load_dataset(name), workspace=workspace, ids=table.image_ids, table=table)


# where they are --------------------------------------------------------------


def test_the_plugin_is_found_by_its_folder(fiftyone):
    import fiftyone.operators as foo

    deciding = {"accept_pseudo_labels", "reject_pseudo_labels", "set_state", "undo"}
    showing = {"unknown_of_class", "show_conflicts", "open_in_studio", "draw_blend"}
    rest = {"train", "compare_runs", "index_run", "logicmix_panel"}
    assert {one.uri for one in foo.list_operators() if "logicmix" in one.uri} == {
        f"{URI}{name}" for name in deciding | showing | rest
    }


def test_buttons_open_a_form_and_stand_on_our_data_sets_only(plugin, fiftyone):
    clone, foreign = plugin.dataset.clone(), fiftyone.Dataset()
    for name in ("accept_pseudo_labels", "reject_pseudo_labels", "set_state", "open_in_studio", "draw_blend"):
        assert plugin.button(name)["prompt"]
        assert plugin.button(name, clone) is plugin.button(name, foreign) is None
    assert plugin.button("undo") is None
    for other in (clone, foreign):
        assert "does not belong to LogicMix Studio" in plugin.form("set_state", dataset=other)[1]
        with pytest.raises(Exception, match="does not belong"):
            plugin.call("set_state", dataset=other, class_name="dog", state="positive")
        other.delete()


# accept and reject -----------------------------------------------------------


def test_accept_takes_the_chosen_images_class_and_sign(plugin):
    a, b, c, _ = plugin.ids
    chosen = {"selected": [a, b], "view_target": "SELECTED_SAMPLES"}
    said = plugin.form("accept_pseudo_labels", **chosen, sign="both", class_name="all classes")[1]
    assert "Writes 4 cells in 2 images: dog positive in 2, cat positive in 1, cat negative in 1." in said
    done = plugin.call("accept_pseudo_labels", **chosen, sign="positive", class_name="dog").result
    assert done["cells"] == 2
    assert plugin.labels("positive_labels", "pseudo_positive")[a] == (["dog"], [])
    assert plugin.labels("pseudo_positive", "pseudo_negative")[b] == (["cat"], [])
    assert plugin.labels("pseudo_negative")[c] == (["dog"],)
    (line,) = plugin.lines()
    assert (line.origin, line.run) == ("fiftyone", 3)
    assert sorted(cell.score for cell in line.cells) == [0.96, 0.97]


def test_accept_takes_what_the_view_shows_and_no_more(plugin, fiftyone):
    sure = plugin.dataset.filter_labels("pseudo_positive", fiftyone.ViewField("confidence") > 0.975)
    plugin.call("accept_pseudo_labels", view=sure, view_target="CURRENT_VIEW", sign="both", class_name="all classes")
    assert plugin.last() == [("cat", "accept", 1)]


def test_accept_takes_selected_labels(plugin):
    sample = plugin.dataset[plugin.ids[1]]
    (label,) = [one for one in sample.pseudo_positive.classifications if one.label == "cat"]
    chosen = [{"label_id": label.id, "sample_id": sample.id, "field": "pseudo_positive"}]

    params = {"view_target": "SELECTED_LABELS", "sign": "both", "class_name": "all classes"}
    context = {"dataset": plugin.dataset, "selected_labels": chosen, "params": params}
    assert execute("accept_pseudo_labels", context).result["cells"] == 1
    assert plugin.last() == [("cat", "accept", 1)]


def test_reject_says_what_it_makes_of_a_proposed_negative(plugin):
    everything = {"view_target": "DATASET", "class_name": "all classes"}
    assert "dog negative in 2, cat negative in 1." in plugin.form("reject_pseudo_labels", **everything)[1]
    said = plugin.form("reject_pseudo_labels", **everything, sign="negative")[1]
    assert "Writes 2 cells in 2 images: cat positive in 1, dog positive in 1." in said
    plugin.call("reject_pseudo_labels", **everything, sign="positive", min_confidence=0.965)
    assert plugin.last() == [("dog", "reject", -1), ("cat", "reject", -1)]


def test_another_number_of_cells_than_the_form_said_is_refused(plugin):
    params = {"class_name": "all classes", "sign": "positive", "view_target": "DATASET"}
    properties, said = plugin.form("accept_pseudo_labels", **params)
    assert "Writes 3 cells" in said
    told = properties["expected"]["default"]
    plugin.call("set_state", [plugin.ids[0]], class_name="dog", state="positive", view_target="SELECTED_SAMPLES")
    with pytest.raises(Exception, match="2 cells would be written, 3 were named"):
        plugin.call("accept_pseudo_labels", **params, expected=told)
    assert len(list(plugin.lines())) == 1
    told = plugin.form("accept_pseudo_labels", **params)[0]["expected"]["default"]
    assert plugin.call("accept_pseudo_labels", **params, expected=told).result["cells"] == 2


def test_a_form_that_means_nothing_cannot_be_sent(plugin):
    properties, said = plugin.form("accept_pseudo_labels", class_name="dog", min_confidence=0.99, view_target="DATASET")
    assert "There is nothing to write" in said
    assert properties["refusal"]["invalid"]
    with pytest.raises(Exception, match="There is nothing to write"):
        plugin.call("accept_pseudo_labels", class_name="dog", min_confidence=0.99, sign="positive")
    assert list(plugin.lines()) == []


# states ----------------------------------------------------------------------


def test_set_state_and_undo(plugin):
    chosen = {"selected": plugin.ids[2:], "view_target": "SELECTED_SAMPLES", "class_name": "cat", "state": "positive"}
    assert "Writes 2 cells in 2 images: cat positive in 2." in plugin.form("set_state", **chosen)[1]
    assert plugin.call("set_state", **chosen).result["cells"] == 2
    assert [plugin.labels("positive_labels", "negative_labels")[i] for i in plugin.ids[2:]] == [
        (["cat"], []),
        (["cat", "dog"], []),
    ]
    assert plugin.call("undo").result["cells"] == 2
    assert [plugin.labels("positive_labels", "negative_labels")[i] for i in plugin.ids[2:]] == [
        ([], ["cat"]),
        (["dog"], []),
    ]
    with pytest.raises(Exception, match="state"):
        plugin.call("set_state", class_name="cat", state="perhaps")


@pytest.mark.parametrize(("filters", "request_of"), [({}, "reload_dataset"), (FILTERS, "set_view")])
def test_the_app_shows_a_change_and_keeps_its_filters(plugin, filters, request_of):

    params = {"class_name": "cat", "state": "positive", "view_target": "CURRENT_VIEW"}
    done = execute("set_state", {"dataset": plugin.dataset, "params": params, "filters": filters})
    told, request = done.executor.to_json()["requests"]
    assert done.result["message"] in str(told["params"])
    assert request_of in request["operator_uri"]
    assert len(plugin.last()) == (2 if filters else 4)
    assert ("FilterLabels" in str(request["params"])) == bool(filters)


# looking ---------------------------------------------------------------------


def test_unknown_of_class_and_conflicts_show_a_view(plugin):
    shown = plugin.call("unknown_of_class", class_name="cat")
    assert shown.result["images"] == 3
    assert any("set_view" in one["operator_uri"] for one in shown.executor.to_json()["requests"])
    assert plugin.call("show_conflicts").result["images"] == 0
    with pytest.raises(Exception, match="class_name"):
        plugin.call("unknown_of_class")


def test_a_blend_of_the_selected_shows_picture_and_labels(plugin):
    done = plugin.call("draw_blend", plugin.ids[2:]).result
    assert done["labels"] == {"dog": "positive", "cat": "unknown"}
    assert done["picture"].startswith("data:image/png;base64,")
    assert "| dog | positive |" in done["message"]
    assert plugin.form("draw_blend", plugin.ids[:1])[0]["refusal"]["invalid"]


def test_two_runs_are_compared(plugin):
    assert plugin.form("compare_runs")[0]["refusal"]["invalid"]
    truth = np.array([[1, -1], [1, 1], [-1, -1], [1, 1]], dtype=np.int8)
    for run in (1, 2):
        add_run(plugin.workspace, plugin.table, truth, run=run)
    assert plugin.form("compare_runs")[0]["second"]["default"] == "2"
    done = plugin.call("compare_runs", first="1", second="2").result
    assert "pseudo-labels:" in done["message"]


def test_a_run_becomes_runs_of_the_brain(plugin):
    assert plugin.form("index_run")[0]["refusal"]["invalid"]
    add_run(plugin.workspace, plugin.table, np.where(STATES == 0, 1, STATES), run=1)
    keys = ["logicmix_run_1_similarity", "logicmix_run_1_visualization"]
    for _ in range(2):  # again replaces
        assert plugin.call("index_run", run="1").result["keys"] == tuple(keys)
    plugin.dataset.reload()
    assert plugin.dataset.list_brain_runs() == keys
    nearest = plugin.dataset.sort_by_similarity(plugin.ids[0], brain_key=keys[0]).values("id")
    assert nearest[0] == plugin.ids[0]
    assert plugin.dataset.load_brain_results(keys[1]).points.shape == (4, 2)
    assert plugin.dataset.values("metadata.width") == [64] * 4


def test_brain_runs_go_with_their_run_and_those_of_others_stay(plugin, fiftyone):
    add_run(plugin.workspace, plugin.table, np.where(STATES == 0, 1, STATES), run=1)
    similar, visible = plugin.call("index_run", run="1").result["keys"]
    dataset = plugin.dataset
    dataset.reload()
    copy = dataset.clone()
    dataset.rename_brain_run(similar, "similar photographs")
    fiftyone.brain.compute_similarity(dataset, embeddings=np.eye(4), brain_key=similar)
    with pytest.raises(Exception, match=f"{similar}' is not the studio's"):
        plugin.call("index_run", run="1")
    with Studio(plugin.workspace) as studio:
        sync = studio.follow()
        assert sync.wait_until_written(60)
        database = sync._worker._database
        wait_until(lambda: database["runs"].find_one({"key": "logicmix_run_1"}), 60, "the run is not listed")
        results = database["fs.files"].count_documents({})
        studio.runs.delete(1)
        gone = {"_dataset_id": dataset._doc.id, "key": {"$in": ["logicmix_run_1", visible]}}
        wait_until(lambda: not database["runs"].find_one(gone), 60, "the run is still listed")
        assert database["fs.files"].count_documents({}) == results - 1
    dataset.reload()
    assert dataset.list_brain_runs() == [similar, "similar photographs"]
    assert dataset.load_brain_results(similar).total_index_size == 4
    assert dataset.list_runs() == []
    assert copy.list_brain_runs() == [similar, visible]
    assert copy.load_brain_results(visible).points.shape == (4, 2)


def test_the_panel_counts_and_follows_the_selection(plugin):
    loaded, _ = plugin.panel("on_load")
    assert "2 of 8 cells known" in loaded
    assert "| dog | 3 | 1 | 0 | 2 | 1 | 0 |" in loaded
    assert "No run yet" in loaded
    assert "on_interval" in loaded
    assert "| cat | negative | unknown | unknown |" in plugin.panel("on_change_selected", plugin.ids[2:])[0]


def test_the_panel_leads_to_what_is_to_review_and_says_where_it_is_of_no_use(plugin, fiftyone):
    told, _ = plugin.panel("to_review")
    assert "set_view" in told
    assert "LogicMix: to review" in told
    foreign = fiftyone.Dataset()
    kept = plugin.panel("on_load", dataset=foreign)[1]
    assert kept["states"] == "This data set does not belong to LogicMix Studio."
    assert (kept["rounds"], kept["running"], kept["training"]) == ("", "", "")
    foreign.delete()


def test_the_panel_shows_rounds_and_looks_again_only_where_something_has_changed(plugin, fiftyone):
    truth = np.array([[1, -1], [1, 1], [-1, -1], [1, 1]], dtype=np.int8)
    add_run(plugin.workspace, plugin.table, truth, run=1)
    with Studio(plugin.workspace) as studio:
        studio.decide(plugin.ids[0], "dog", 1)
        info = studio.jobs.info(1)
        assert studio.sync.wait_until_written(60)
    loaded, kept = plugin.panel("on_load")
    assert "3 of 8 cells known" in loaded
    assert f"| 1 ◐ | {info.recipe_title} | finished | 25.0% | {info.map:.3f}, {info.figure.short} | 1 |" in loaded
    assert plugin.panel("look", state=kept)[1] == {"running": "", "training": ""}
    sample = plugin.dataset[plugin.ids[3]]
    sample.negative_labels.classifications.append(fiftyone.Classification(label="cat"))
    sample.save()
    assert plugin.panel("look", state=kept)[1] == {
        "running": "",
        "training": "",
    }  # it counts no more often than every five seconds
    assert "4 of 8 cells known" in plugin.panel("look", state=kept | {"due": 0})[1]["states"]


def test_the_panel_shows_what_a_run_in_progress_has_measured_of_each_class(plugin):
    jobs = Jobs(plugin.workspace.runs)
    config = RunConfig.create("thorough")
    run = jobs.create(config, root=plugin.workspace.root, table=plugin.table, states=plugin.table.states)
    reporter = Reporter(RunFolder(jobs.folder(run)))
    reporter.stage("training", 0.1, 0.9)
    assert "follow with the first epoch" in plugin.panel("on_load")[1]["training"]
    for epoch, value in enumerate((0.25, 0.5), start=1):
        ap = {"dog": value, "cat": float("nan")}
        reporter.event("epoch", epoch=epoch, epochs=9, loss_original=1.0, loss_mixed=None, map=value, ap=ap)
        now = np.array([[1, 0], [-1, 0]], dtype=np.int8)
        reporter.event("pseudo", **count_pseudo(now, now, plugin.table.class_names))
    shown = plugin.panel("look")[1]
    assert shown["running"].startswith("run 1: training")
    assert "after epoch 2 of 9" in shown["training"]
    assert "| dog | 0.500 | 1 | 1 |\n| cat | – | 0 | 0 |" in shown["training"]
    reporter.end("cancelled", "on request")
    assert plugin.panel("look")[1]["training"] == ""


# with a server ---------------------------------------------------------------


def test_a_running_server_is_asked_instead(plugin):
    assert "No studio is open" in plugin.call("open_in_studio").result["message"]
    properties, _ = plugin.form("train")
    assert [one["label"] for one in properties["recipe"]["view"]["choices"]] == [one.title for one in RECIPES.values()]
    with ServerProcess(plugin.workspace.root):
        assert plugin.call("set_state", class_name="cat", state="positive", view_target="DATASET").result["cells"] == 4
        assert plugin.call("undo").result["cells"] == 4
        with pytest.raises(Exception, match="4 cells would be written, 3 were named"):
            plugin.call("set_state", class_name="cat", state="positive", view_target="DATASET", expected=3)
        two = plugin.ids[:2]
        assert f"?tab=browse&images={','.join(two)}" in plugin.call("open_in_studio", two).result["url"]
        assert plugin.form("open_in_studio", two * 201)[0]["refusal"]["invalid"]
        assert "?tab=browse&image=" in plugin.call("open_in_studio", two[:1]).result["url"]
        assert plugin.call("open_in_studio", class_name="cat").result["url"].endswith("?tab=review&class_name=cat")
        started = plugin.call("train", recipe="quick")
        assert started.result["run"] == 1
        loaded, _ = plugin.panel("on_load")
        assert "run 1: " in loaded
        assert '"progress": 0.' in loaded
    _end_runs(plugin.workspace)


def _end_runs(workspace: Workspace) -> None:
    jobs = Jobs(workspace.runs)
    for info in jobs.list():
        jobs.cancel(info.run)
        jobs.wait(info.run, timeout_s=60)
