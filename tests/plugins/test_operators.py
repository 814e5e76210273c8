"""The plugin's operators in a real FiftyOne, without a browser: first with no server, then with one."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from logicmix_studio.environment import prepare_environment
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Workspace, read_journal, save_table, write_json
from logicmix_studio.store.fiftyone.attach import attach
from logicmix_studio.store.fiftyone.mongod import Mongod

pytestmark = pytest.mark.slow
SESSION = Path(__file__).with_name("operators_session.py")


class _Server(BaseHTTPRequestHandler):
    """Stands for the studio's server: notes what it was asked."""

    asked: list[tuple[str, str | None, dict]] = []  # noqa: RUF012  # one server a module

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, self.headers["X-LogicMix-Token"], content))
        status, answer = 200, {"cells": len(content.get("cells", ())), "skipped": [], "seq": 9, "run": 7}
        if content.get("recipe") == "2wayaug-pl":
            status, answer = 409, {"error": "run 7 is on its way", "hint": "wait"}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos") / "pets"
    root.mkdir()
    workspace = Workspace(root=root, folder=root / ".logicmix")
    states = np.array([[0, 0], [0, 0], [0, -1]], dtype=np.int8)
    table = LabelTable.build(["a.jpg", "b.jpg", "c.jpg"], ["dog", "cat"], states)
    save_table(workspace.labels_file, table)
    write_json(workspace.info_file, {"format": 1, "name": "pets", "root": str(root)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    me = psutil.Process()
    told = {"pid": me.pid, "process_started": me.create_time(), "token": "secret"}
    server_file = root.parent / "server.json"
    write_json(server_file, {**told, "url": f"http://127.0.0.1:{server.server_port}"})
    with Mongod(workspace.database, environ={}) as mongod:
        mirror = attach(workspace, table, mongod)
        mirror.start()
        proposals = np.array([[1, -1], [1, 1], [-1, 0]], dtype=np.int8)
        scores = np.array([[0.96, 0.01], [0.97, 0.98], [0.01, 0.5]])
        mirror.write_proposals(3, proposals, scores)
        assert mirror.close(20)
        environ = dict(os.environ)
        prepare_environment(environ, database_uri=mongod.ensure())
        done = subprocess.run(
            [sys.executable, str(SESSION), mongod.ensure(), str(server_file), str(workspace.folder)],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
    server.shutdown()
    server.server_close()
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    lines = list(read_journal(workspace.journal_file))
    return SimpleNamespace(**answer, ids=table.image_ids, lines=lines, asked=_Server.asked, table=table)


def test_the_plugin_is_found_by_its_folder(session):
    names = ("accept_pseudo_labels", "logicmix_status", "reject_pseudo_labels", "train", "unknown_of_class")
    assert session.operators == [f"@logicmix/studio/{name}" for name in names]


def test_accept_takes_the_selected_images_and_the_class(session):
    a, b, c = session.ids
    assert session.before == {a: ["cat", "dog"], b: ["cat", "dog"], c: ["dog"]}
    assert session.accepted["cells"] == 2
    assert session.after_accept == {a: ["cat"], b: ["cat"], c: ["dog"]}
    assert (session.known[a]["dog"], session.known[b]["dog"]) == ("positive", "positive")


def test_without_a_selection_nothing_is_answered(session):
    assert "Select some images first" in session.nothing


def test_reject_sets_the_opposite_from_a_confidence_on(session):
    a, b, c = session.ids
    assert session.rejected["cells"] == 2
    assert session.after_reject == {a: [], b: ["cat"], c: []}
    assert (session.known[a]["cat"], session.known[c]["dog"]) == ("positive", "positive")


def test_answers_stand_in_the_journal_as_one_action_each(session):
    assert [(line.origin, line.run, len(line.cells)) for line in session.lines] == [("fiftyone", 3, 2)] * 2
    accepted = session.lines[0].cells
    assert [(cell.class_name, cell.answer, cell.after.state) for cell in accepted] == [
        ("dog", "accept", 1)
    ] * 2
    assert sorted(cell.score for cell in accepted) == [0.96, 0.97]
    assert {cell.score for cell in session.lines[1].cells} == {0.01}


def test_unknown_of_class_shows_a_view(session):
    assert session.unknown["images"] == 1
    assert any("set_view" in uri for uri in session.unknown_requests)
    assert "class_name" in session.missing_class


def test_the_panel_counts(session):
    assert "5 of 6 cells known" in session.panel
    assert "run 3" in session.panel


def test_a_running_server_is_asked_instead(session):
    (decide, token, content), (train, _, recipe), _ = session.asked
    assert (decide, token) == ("/api/cells/decide", "secret")
    assert content["origin"] == "fiftyone"
    assert content["run"] == 3
    assert content["cells"] == [[session.ids[1], "cat", 1, "accept", 0.98]]
    assert len(content["id"]) >= 8
    assert session.over_http["cells"] == 1
    assert (train, recipe) == ("/api/train/start", {"recipe": "quick"})
    assert session.trained["run"] == 7


def test_a_refusal_is_shown_in_its_own_words(session):
    assert "run 7 is on its way" in session.refusal
