"""The sync worker: brings journal lines and proposals into the FiftyOne data set, by pymongo only.

It is always behind the journal, never before it. The number of the last line it wrote stands in the database,
so a tail is written again after a crash; writing a line twice changes nothing.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from bson import ObjectId
from numpy.typing import NDArray
from pymongo import MongoClient, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.store.fiftyone.changes import ProposalJob, RunLimits, changes_of
from logicmix_studio.store.fiftyone.documents import Entry, change_image, clear_claims, replace_claims, unknown_stages
from logicmix_studio.store.fiftyone.edits import take_edits
from logicmix_studio.store.fiftyone.sync_state import SyncStates, save_runs, save_selection
from logicmix_studio.store.ledger import Ledger
from logicmix_studio.store.line import Line

log = logging.getLogger(__name__)

SERVER_SELECTION_MS = 3000
SOCKET_MS = 30_000
BATCH_CELLS = 20_000
RECENT_LINES = 5000
"""Lines remembered for proposals that were computed before them but come in later."""
BATCH_IMAGES = 500
PROPOSAL_IMAGES = 100
"""Images a write: about ten milliseconds, the longest a decision waits for a run's proposals."""
WRITERS = 2
"""Connections that a run's proposals go through."""
FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
IDLE_SECONDS = 5.0
MAX_ERROR = 300


@dataclass(frozen=True)
class WorkerStatus:
    """How far the data set is behind."""

    applied_seq: int
    """The last journal line that is in the data set."""
    lag: int
    """Lines that wait to be written."""
    run: int | None
    """The run whose proposals are completely in the data set."""
    proposals_fraction: float | None
    """How much of a run's proposals is written, in [0, 1]; None when none are on their way."""
    error: str
    """Why nothing can be written at the moment; empty when all is well."""


def connect(uri: str) -> MongoClient[Entry]:
    """Return a client that gives up after three seconds instead of thirty."""
    limit = SERVER_SELECTION_MS
    return MongoClient(uri, serverSelectionTimeoutMS=limit, socketTimeoutMS=SOCKET_MS, tz_aware=True)


class SyncWorker:
    """Writes into one FiftyOne data set from a thread of its own.

    Handing something in never blocks and never fails; :meth:`status` and :meth:`flush` tell what came of it.

    Attributes:
        dataset_name: The data set's name.
        opened_at: How far the data set was when this worker was made.

    Args:
        uri: Where the database listens.
        workspace_id: Whose ``logicmix_meta`` document tells the data set and the last line.
        table: The imported labels: ids and classes.
        database: The database's name.
        revive: Called after a failure; sees that the database runs and returns its address.

    Raises:
        StudioError: The data set is not in the database.
    """

    def __init__(
        self,
        uri: str,
        workspace_id: str,
        table: LabelTable,
        *,
        database: str = "fiftyone",
        revive: Callable[[], str] | None = None,
    ) -> None:
        self.workspace_id, self.table = workspace_id, table
        self._database_name, self._revive = database, revive
        self._uri, self._client = uri, connect(uri)
        state = self._states.load()
        if state is None:
            self._client.close()
            raise StudioError(
                "The FiftyOne data set of this workspace is not in the database.",
                "Make it anew with `logicmix-studio rebuild`; the journal keeps every decision.",
            )
        self.dataset_name, self.opened_at = state.dataset, state
        self._samples = state.samples
        self._applied = self._submitted = state.applied_seq
        self._run, self._watched_until = state.run, state.watched_until
        self._limits = state.limits
        self._recent: deque[Line] = deque(maxlen=RECENT_LINES)
        self._changed = threading.Condition()
        self._lines: deque[Line] = deque()
        self._job: ProposalJob | None = None
        self._error = ""
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="fiftyone-sync", daemon=True)

    # handing in --------------------------------------------------------------

    def start(self) -> None:
        """Start the writer."""
        self._thread.start()

    def replay(self, lines: Iterable[Line]) -> int:
        """Hand in the lines that the data set has not got yet; return how many."""
        with self._changed:
            tail = [line for line in lines if line.seq > self._submitted]
            self._lines.extend(tail)
            self._submitted = tail[-1].seq if tail else self._submitted
            self._changed.notify_all()
            return len(tail)

    def submit(self, line: Line) -> None:
        """Hand in one line: a listener of the ledger."""
        self.replay([line])

    def write_proposals(
        self,
        run: int,
        proposals: NDArray[np.int8],
        scores: NDArray[np.floating],
        conflicts: NDArray[np.int8] | None = None,
        *,
        seq: int | None = None,
        rows: NDArray[np.int64] | None = None,
        shown: str = "",
    ) -> None:
        """Hand in a run's proposals; they replace those the data set shows, some images at a time.

        Decisions go before them, whenever they come. A run that is handed in again, or a later one, replaces
        what is still on its way; some images of the run that is on its way join it.

        Args:
            run: The run.
            proposals: (N, C): +1 and -1 are claims on unknown cells, 0 none.
            scores: (N, C): calibrated probabilities in [0, 1]; nan only where there is no claim.
            conflicts: (N, C): +1 and -1 where the model contradicts a known label, 0 elsewhere.
            seq: The last journal line that the proposals know of; the last one handed in unless given.
            rows: Write only these images of the run that is shown already or on its way; all of them unless given.
            shown: What the proposals were made of; it stands in the database once all of them do.

        Raises:
            ValueError: An array has another shape than the label table.
        """
        claims = conflicts if conflicts is not None else np.zeros(self.table.states.shape, dtype=np.int8)
        for name, array in (("proposals", proposals), ("scores", scores), ("conflicts", claims)):
            if array.shape != self.table.states.shape:
                raise ValueError(f"{name} has shape {array.shape}, expected {self.table.states.shape}")
        ids, names = self.table.image_ids, self.table.class_names
        known_seq = self._submitted if seq is None else seq
        wanted = np.arange(len(ids)) if rows is None else rows
        job = ProposalJob(run, ids, names, proposals, scores, claims, known_seq, wanted, shown=shown)
        with self._changed:
            going = None if self._job is None or self._job.run != run or rows is None else self._job
            if going is not None:  # replaced, it would never end while people answer
                going.join(job, PROPOSAL_IMAGES)
                return
        if rows is None or run != self._run:
            job.rows = np.arange(len(ids))
            job.limits = RunLimits.of(run, names, proposals, scores)  # now, so that no decision waits for it
        with self._changed:
            self._job = job
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait some seconds at the most until all that was handed in is written; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines and self._job is None, timeout)

    def status(self) -> WorkerStatus:
        """Return how far the data set is behind."""
        with self._changed:
            fraction = None if self._job is None else self._job.fraction
            return WorkerStatus(self._applied, len(self._lines), self._run, fraction, self._error)

    def close(self, timeout: float = 10.0) -> bool:
        """Write what was handed in, as far as the time allows, and stop; return whether everything is written."""
        done = self.flush(timeout) if self._thread.is_alive() and not self._error else not self._lines
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(SOCKET_MS / 1000)
        self._client.close()
        return done

    def take_edits(self, ledger: Ledger) -> None:
        """Let the ledger decide what somebody saved in FiftyOne since the last call.

        Raises:
            StudioError: The database does not answer, or the journal cannot be written.
        """
        with _answering():
            self._watched_until = take_edits(self._database, self.workspace_id, ledger, self._watched_until)

    def save_selection(self, image_ids: Sequence[str]) -> str:
        """Save a view of some images for the FiftyOne App and return its name in an address.

        Raises:
            StudioError: The database does not answer.
        """
        with _answering():
            return save_selection(self._database, self._dataset_id, image_ids)

    def save_runs(self, runs: Mapping[int, Entry]) -> None:
        """Let FiftyOne list these runs of the studio, each with its facts, and no others of the studio.

        Raises:
            StudioError: The database does not answer.
        """
        with _answering():
            save_runs(self._database, self._dataset_id, self.workspace_id, runs)

    # the writer's thread -----------------------------------------------------

    @property
    def _database(self) -> Database[Entry]:
        return self._client[self._database_name]

    @property
    def _states(self) -> SyncStates:
        return SyncStates(self._database, self.workspace_id)

    @property
    def _dataset_id(self) -> ObjectId:
        return ObjectId(self._samples.removeprefix("samples."))

    @property
    def _collection(self) -> Collection[Entry]:
        return self._database[self._samples]

    def _work(self) -> None:
        delay = FIRST_DELAY
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._lines or self._job or self._error, IDLE_SECONDS)
                if self._closing:
                    return
                batch = _first_lines(self._lines, BATCH_CELLS)
                job = self._job
            try:
                if self._error:
                    self._revive_database()
                self._step(batch, job)
            except Exception as error:
                if not isinstance(error, PyMongoError | StudioError):
                    log.exception("the sync worker met an error it cannot mend")
                self._report(str(error) if isinstance(error, StudioError) else f"{type(error).__name__}: {error}")
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, delay)
                delay = min(2 * delay, LONGEST_DELAY)
            else:
                delay = FIRST_DELAY
                self._report("")

    def _step(self, batch: list[Line], job: ProposalJob | None) -> None:
        """Write some lines, or else some images of a run, or else see whether the database is still there."""
        if batch:
            self._apply(batch, job)
        elif job is not None:
            self._write_some(job)
        else:
            self._client.admin.command("ping")
        with self._changed:
            for _ in batch:
                self._lines.popleft()
            if not batch and job is not None and job.is_done and self._job is job:
                self._job = None
            self._changed.notify_all()

    def _apply(self, batch: list[Line], job: ProposalJob | None) -> None:
        fresh = [line for line in batch if line.seq > self._applied]
        if not fresh:
            return
        changes = changes_of(fresh, self._limits)
        if job is not None and job.is_open:
            job.note_changes(changes)
        finish = unknown_stages(self.table)
        _write(self._collection, (change_image(image_id, change, finish) for image_id, change in changes.items()))
        self._states.save(applied_seq=fresh[-1].seq)
        self._recent.extend(fresh)
        self._applied = fresh[-1].seq

    def _write_some(self, job: ProposalJob) -> None:
        if not job.is_open:
            if job.limits is not None:
                self._states.open_run(job.limits)
                self._limits = job.limits
            job.note_changes(changes_of((line for line in self._recent if line.seq > job.seq), self._limits))
            job.is_open = True
        rows = job.chunk(PROPOSAL_IMAGES)
        with ThreadPoolExecutor(WRITERS) as pool:  # the database works on one half while the other is encoded
            list(pool.map(partial(self._write_claims, job), np.array_split(rows, WRITERS)))
        job.written += len(rows)
        if job.is_done and job.limits is not None:
            self._states.save(run=job.run, shown=job.shown)
            self._run = job.run

    def _write_claims(self, job: ProposalJob, rows: NDArray[np.int64]) -> None:
        claims = {job.image_ids[row]: job.claims_of(row) for row in rows}
        durable = self._collection.with_options(write_concern=WriteConcern("majority", j=True))
        _write(durable, (replace_claims(image_id, some, job.run) for image_id, some in claims.items() if some))
        if empty := [image_id for image_id, some in claims.items() if not some]:
            durable.update_many(*clear_claims(empty))

    def _report(self, error: str) -> None:
        if error and not self._error:
            log.warning("the FiftyOne data set cannot be written to: %s", error)
        with self._changed:
            self._error = error[:MAX_ERROR]
            self._changed.notify_all()

    def _revive_database(self) -> None:
        uri = self._uri if self._revive is None else self._revive()
        if uri != self._uri:
            self._client.close()
            self._uri, self._client = uri, connect(uri)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise StudioError(f"The database does not answer: {error}", "Try again in a few seconds.") from error


def _write(collection: Collection[Entry], updates: Iterable[UpdateOne]) -> None:
    iterator = iter(updates)
    while chunk := list(itertools.islice(iterator, BATCH_IMAGES)):
        collection.bulk_write(chunk, ordered=False)


def _first_lines(lines: deque[Line], max_cells: int) -> list[Line]:
    """Return the first lines, at least one, that touch no more than so many cells."""
    totals = itertools.accumulate(max(1, len(line.cells)) for line in lines)
    count = sum(1 for _ in itertools.takewhile(lambda total: total <= max_cells, totals))
    return list(itertools.islice(lines, max(1, count)))
