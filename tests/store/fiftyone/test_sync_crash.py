"""The process that decides is killed; what it had acknowledged must be in journal and data set afterwards."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Ledger, read_journal, save_table
from logicmix_studio.store.fiftyone.documents import KNOWN, META, PSEUDO
from logicmix_studio.store.fiftyone.sync_worker import SyncWorker

DECIDER = Path(__file__).with_name("deciding_process.py")


@pytest.mark.parametrize("acknowledged", [1, 40, 400])
def test_a_killed_server_loses_nothing_acknowledged(make_synced, mongod, database, tmp_path, acknowledged):
    states = np.zeros((300, 7), dtype=np.int8)
    table = LabelTable.build([f"{row}.jpg" for row in range(300)], [f"class {c}" for c in range(7)], states)
    synced = make_synced(mongod.ensure(), database, table)
    synced.worker.close()
    save_table(tmp_path / "labels.npz", table)
    journal = tmp_path / "journal.jsonl"
    command = [
        sys.executable,
        str(DECIDER),
        str(tmp_path / "labels.npz"),
        str(journal),
        mongod.ensure(),
        synced.workspace_id,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as decider:
        assert decider.stdout is not None
        last = 0
        while last < acknowledged:
            last = int(decider.stdout.readline())
        decider.kill()
        last = max([last, *(int(line) for line in decider.stdout.read().split("\n")[:-1])])

    lines = list(read_journal(journal))
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) >= last
    assert database[META].find_one({"_id": synced.workspace_id})["applied_seq"] <= len(lines)

    ledger = Ledger(table, lines)
    worker = SyncWorker(mongod.ensure(), synced.workspace_id, table)
    worker.start()
    worker.replay(lines)
    assert worker.close(30)
    np.testing.assert_array_equal(synced.states(), ledger.states)
    for document in synced.samples().values():
        names = [
            {label["label"] for field in fields.values() for label in document[field]["classifications"]}
            for fields in (KNOWN, PSEUDO)
        ]
        assert not names[0] & names[1]
