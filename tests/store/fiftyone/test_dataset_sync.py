"""The FiftyOne data set of an open studio: it follows decisions, thresholds, dismissals and labels read anew."""

import copy
import threading
import time
from types import SimpleNamespace

import pytest

from logicmix_studio.labels import UNKNOWN
from logicmix_studio.store import Decision
from logicmix_studio.store.fiftyone import dataset_sync
from logicmix_studio.store.fiftyone.attach import identity_of
from logicmix_studio.store.fiftyone.dataset_sync import DatasetSync
from logicmix_studio.store.fiftyone.documents import KNOWN, PSEUDO
from logicmix_studio.store.fiftyone.stored import stored_states
from logicmix_studio.store.fiftyone.sync_state import SyncStates
from logicmix_studio.store.fiftyone.sync_worker import SyncWorker, connect
from logicmix_studio.studio import Studio
from tests.workspaces import make_workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PATIENCE = 300.0


def soon(condition) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A studio with a data set behind it, as the command line wires them."""
    root = make_workspace(tmp_path_factory.mktemp("photos") / "shapes").root
    with Studio.open(root, who="ada") as studio:
        sync = studio.follow()
        assert sync.wait_until_written(PATIENCE), sync.status
        made = SimpleNamespace(studio=studio, sync=sync, id=identity_of(studio.workspace).id)
        connect_to(made)
        yield made
        made.client.close()
        made.sync.close()
        made.sync.close()


def connect_to(served) -> None:
    served.client = connect(served.sync._mongod.ensure())
    served.database = served.client["fiftyone"]


def entries(served, *fields):
    """Image id and class name of every label in some fields."""
    state = SyncStates(served.database, served.id).load()
    return {
        (str(document["_id"]), entry["label"])
        for document in served.database[state.samples].find()
        for field in fields
        for entry in document[field]["classifications"]
    }


def conflicts_of(studio):
    rows, columns = studio.proposed.conflicts(studio.proposed.current).nonzero()
    return {(studio.image_ids[r], studio.class_names[c]) for r, c in zip(rows, columns, strict=True)}


def equals_the_studio(served) -> bool:
    studio = served.studio
    rows, columns = studio.proposed.array().nonzero()
    proposals = {(studio.image_ids[r], studio.class_names[c]) for r, c in zip(rows, columns, strict=True)}
    stored = stored_states(served.database, served.id, studio.table)
    is_same = entries(served, *PSEUDO.values()) == proposals and entries(served, "conflicts") == conflicts_of(studio)
    return is_same and bool((stored == studio.states).all())


def test_sync__the_data_set_equals_the_studio(served):
    assert soon(lambda: equals_the_studio(served))
    assert entries(served, *PSEUDO.values())
    assert soon(lambda: served.sync.status.state == "ready")


def test_sync__follows_a_decision_and_a_threshold(served):
    studio = served.studio
    first = studio.proposals()[0]
    studio.decide(first.image_id, first.class_name, first.value, answer="accept")
    assert soon(lambda: (first.image_id, first.class_name) not in entries(served, *PSEUDO.values()))
    before = entries(served, *PSEUDO.values())
    studio.settings.update({"thresholds": {"positive": {"circle": 1.0}, "negative": {"circle": 1.0}}})
    assert soon(lambda: equals_the_studio(served))
    assert entries(served, *PSEUDO.values()) < before


def test_sync__a_dismissed_conflict_goes_and_comes_back_with_undo(served):
    studio = served.studio
    studio.decide(*_a_contradiction(studio))
    assert soon(lambda: equals_the_studio(served))
    conflict = min(conflicts_of(studio))
    run = studio.proposed.current.run
    state = int(studio.states[studio.ledger.position(*conflict)])
    keep = Decision(*conflict, state, "set")
    studio.ledger.decide([keep], who="ada", origin="conflicts", run=run, always=True)
    assert conflict not in conflicts_of(studio)
    assert soon(lambda: conflict not in entries(served, "conflicts"))
    studio.settings.update({"thresholds": {}})  # everything is written anew: it stays dismissed
    assert soon(lambda: equals_the_studio(served))
    assert conflict not in entries(served, "conflicts")
    studio.undo()
    assert soon(lambda: conflict in entries(served, "conflicts"))
    assert equals_the_studio(served)


def test_sync__goes_on_with_labels_that_were_read_anew(served):
    studio = served.studio
    studio.rename_class("circle", "disc")
    studio.add_class("moon")
    assert soon(lambda: equals_the_studio_after_reload(served))
    studio.decide(studio.image_ids[0], "moon", 1)
    assert soon(lambda: (studio.image_ids[0], "moon") in entries(served, *KNOWN.values()))
    assert not {name for _, name in entries(served, *KNOWN.values())} & {"circle"}
    assert served.sync.wait_until_written(PATIENCE)


def test_sync__comes_back_by_itself_when_the_database_can_be_had_again(served, monkeypatch):
    monkeypatch.setattr(dataset_sync, "RETRY_SECONDS", 0.1)
    studio, place = served.studio, served.studio.workspace.database
    served.client.close()
    served.sync._mongod.stop()
    place.rename(place.with_name("elsewhere"))
    place.write_bytes(b"in the way")
    served.sync.reload(copy.copy(studio.dataset), studio.proposed)
    assert soon(lambda: served.sync.status.state == "down")
    assert str(place) in served.sync.status.message
    studio.decide(studio.image_ids[3], "star", 1)
    place.unlink()
    place.with_name("elsewhere").rename(place)
    assert soon(lambda: served.sync.status.state == "ready"), served.sync.status
    connect_to(served)
    assert soon(lambda: equals_the_studio(served))


def test_sync__who_decides_never_waits_for_it(served, monkeypatch):
    studio, is_at_work, is_decided = served.studio, threading.Event(), threading.Event()
    conflicts = studio.proposed.conflicts
    assert soon(lambda: equals_the_studio_after_reload(served))

    def conflicts_later(scores):
        is_at_work.set()
        assert is_decided.wait(PATIENCE)
        return conflicts(scores)

    with monkeypatch.context() as patch:
        patch.setattr(studio.proposed, "conflicts", conflicts_later)
        studio.decide(*_a_contradiction(studio))
        assert is_at_work.wait(PATIENCE)
        studio.decide(*_a_contradiction(studio))
        is_decided.set()
    assert soon(lambda: equals_the_studio(served))


def test_sync__a_second_launch_writes_only_what_is_new(served, monkeypatch):
    studio, written = served.studio, []
    assert soon(lambda: equals_the_studio_after_reload(served))
    served.client.close()
    served.sync.close()
    assert served.sync._mongod.pid is None
    image_id, class_name, state = _a_contradiction(studio)
    studio.decide(image_id, class_name, state)

    write = SyncWorker.write_proposals

    def seen(worker, *arguments, **options) -> None:
        written.append(options["rows"])
        write(worker, *arguments, **options)

    monkeypatch.setattr(SyncWorker, "write_proposals", seen)
    served.sync = DatasetSync(studio.dataset, studio.proposed)
    served.sync.start()
    assert served.sync.wait_until_written(PATIENCE)
    connect_to(served)
    assert soon(lambda: written)
    assert written[0].tolist() == [studio.ledger.row_of[image_id]]  # not all images: they stand there already
    assert soon(lambda: equals_the_studio(served))
    assert len(written) == 1


def equals_the_studio_after_reload(served) -> bool:
    return served.sync.status.state == "ready" and equals_the_studio(served)


def _a_contradiction(studio):
    """Return an unknown cell of which the run is sure, and the opposite of what it says."""
    scores, states = studio.proposed.current.scores, studio.states
    open_cells = (states == UNKNOWN) & ~studio.table.is_test[:, None]
    row, column = max(zip(*open_cells.nonzero(), strict=True), key=lambda cell: scores[cell])
    return studio.image_ids[row], studio.class_names[column], -1


def test_follow__a_decision_without_a_server_reaches_the_data_set(tmp_path, mongod, database, monkeypatch):
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", mongod.ensure())
    workspace = make_workspace(tmp_path / "notebook")
    with Studio.open(workspace.root, who="ada") as studio:
        studio.decide(studio.image_ids[0], "star", 1)
        assert studio.sync is None  # nobody has asked for a data set yet
        studio.follow()
    with Studio.open(workspace.root, who="ada") as studio:
        studio.decide(studio.image_ids[1], "star", -1)
        assert studio.sync is not None
        keys = {"config.logicmix": identity_of(workspace).id}
        assert soon(lambda: [run["config"]["map"] for run in database["runs"].find(keys)] == [studio.jobs.info(1).map])
        studio.runs.delete(1)
        assert soon(lambda: not database["runs"].count_documents(keys))
    id_of, table = identity_of(workspace).id, studio.table
    assert stored_states(database, id_of, table)[:2, 3].tolist() == [1, -1]
    assert (stored_states(database, id_of, table) == studio.states).all()
