"""Run in a process of its own until it is killed: decides without end and says each acknowledged line aloud."""

import itertools
import sys
from pathlib import Path

import numpy as np

from logicmix_studio.store import Decision, Journal, Ledger, load_table
from logicmix_studio.store.fiftyone.sync_worker import SyncWorker


def main(labels: str, journal: str, uri: str, workspace_id: str) -> None:
    table = load_table(Path(labels))
    ledger = Ledger(table, journal=Journal(Path(journal)))
    worker = SyncWorker(uri, workspace_id, table)
    worker.start()
    ledger.listen(worker.submit)
    proposals = np.ones(table.states.shape, dtype=np.int8)
    worker.write_proposals(1, proposals, np.full(table.states.shape, 0.99), seq=0)
    for number in itertools.count():
        image_id = table.image_ids[number % table.num_images]
        name = table.class_names[number % table.num_classes]
        line = ledger.decide([Decision(image_id, name, 1 - 2 * (number % 2))], who="ann", origin="stream").line
        assert line is not None
        print(line.seq, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
