"""The Python door: command line, browser and plugin are thin over :class:`Studio`."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.formats import WRITE_FORMATS, CellDetails, LossReport, write_cells
from logicmix_studio.importing import ImportOptions, Progress, import_dataset, load_complete
from logicmix_studio.jobs import Jobs, RunInfo
from logicmix_studio.labels import NEGATIVE, POSITIVE, LabelTable
from logicmix_studio.review import Thresholds, conflict_mask, propose
from logicmix_studio.run_board import RunBoard
from logicmix_studio.run_scores import RunScores
from logicmix_studio.store import (
    Decision,
    Journal,
    Ledger,
    Receipt,
    Settings,
    Workspace,
    WorkspaceLock,
    load_table,
    locate_workspace,
    read_journal,
)
from logicmix_studio.training.config import DEFAULT_SEED, RunConfig


class Link(Protocol):
    """What keeps a FiftyOne data set behind the ledger while a studio is served."""

    @property
    def status(self) -> Any:
        """How the data set is doing: state, message, lag and fraction."""

    def open_app(self, image_ids: Sequence[str] | None = None) -> str:
        """Start the FiftyOne App unless it runs and return the address of its page."""


@dataclass(frozen=True)
class Proposal:
    """A model's claim on an unknown cell."""

    image_id: str
    path: str
    class_name: str
    value: int
    """+1 or -1."""
    score: float
    """The calibrated probability that the class is present, in [0, 1]."""
    confidence: float
    """How sure the model is of ``value``, in [0, 1]."""
    run: int


class Studio:
    """One data set, opened.

    Use it as a context manager::

        with Studio.open("dataset") as studio:
            studio.train("quick")
            for proposal in studio.proposals(class_name="dog", limit=10):
                studio.decide(proposal.image_id, "dog", proposal.value)
            studio.undo()
            studio.export("labels.csv", "csv-long")

    Attributes:
        workspace: Where everything of this data set lies.
        ledger: The states of all cells and the only way to change them.
        settings: What people chose on screen.
        board: Which runs have finished, and whose scores make the pseudo-labels.
        jobs: The runs: start, watch, pause, cancel, resume.
        complete: (N, C) int8 complete states in a trial or the demo, else None; for evaluation only.
        who: The person on whose behalf this process decides.
    """

    def __init__(self, workspace: Workspace, *, who: str | None = None, read_only: bool = False) -> None:
        """Open an existing workspace; see :meth:`open` for the usual way.

        Raises:
            StudioError: If there is none, it is broken, or another process holds it.
        """
        self.workspace = workspace
        self.who = who or current_user()
        self.read_only = read_only
        self._lock: WorkspaceLock | None = None if read_only else WorkspaceLock(workspace)
        self._journal: Journal | None = None
        try:
            self.info = workspace.info()
            table = load_table(workspace.labels_file)
            self._journal = None if read_only else Journal(workspace.journal_file)
            self.ledger = Ledger(table, read_journal(workspace.journal_file), self._journal)
            complete = load_complete(workspace, table)
            self.complete: npt.NDArray[np.int8] | None = None if complete is None else complete.states
            self.settings = Settings(workspace.settings_file)
            self.jobs = Jobs(workspace.runs)
            self.board = RunBoard(self.jobs, self.settings, table)
        except BaseException:
            self.close()
            raise
        self._guard = threading.RLock()
        self._proposals: tuple[tuple[int | None, int, int], npt.NDArray[np.int8]] | None = None
        self.link: Link | None = None
        """The FiftyOne data set, while a studio is served."""

    @classmethod
    def open(
        cls,
        root: str | Path,
        *,
        workspace: str | Path | None = None,
        who: str | None = None,
        read_only: bool = False,
        options: ImportOptions | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Open the studio on a folder of images, importing it first where that has not been done.

        Args:
            root: The data set's folder.
            workspace: Another place for the workspace than ``root/.logicmix``.
            who: The person on whose behalf to decide; the system's user unless given.
            read_only: Look only: works while a server holds the workspace.
            options: How to import.
            progress: Called as an import goes on.

        Raises:
            StudioError: If the folder can't be read or another process holds the workspace.
        """
        prepare_environment()
        place = locate_workspace(Path(root), None if workspace is None else Path(workspace))
        if not place.exists:
            if read_only:
                place.info()
            import_dataset(place, options or ImportOptions(), progress)
        return cls(place, who=who, read_only=read_only)

    # what is known -----------------------------------------------------------

    @property
    def table(self) -> LabelTable:
        """The imported labels."""
        return self.ledger.table

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in column order."""
        return self.table.class_names

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The images, in row order."""
        return self.table.image_ids

    @property
    def states(self) -> npt.NDArray[np.int8]:
        """(N, C) int8 states at this moment, read-only."""
        view = self.ledger.states.view()
        view.flags.writeable = False
        return view

    @property
    def name(self) -> str:
        """The data set's name."""
        return str(self.info["name"])

    def image_path(self, image_id: str) -> Path:
        """Return the file of an image.

        Raises:
            StudioError: If there is no such image.
        """
        row = self.ledger.row_of.get(image_id)
        if row is None:
            raise StudioError(
                f"there is no image {image_id!r}", "reload the page: the data set may have changed"
            )
        return self.workspace.root / self.table.paths[row]

    # what a model says -------------------------------------------------------

    @property
    def thresholds(self) -> Thresholds:
        """From which confidence on a score is a pseudo-label, per class and sign."""
        return Thresholds.from_json(self.class_names, self.settings.get("thresholds", {}))

    def finished_runs(self) -> list[RunInfo]:
        """Return the runs that left scores, oldest first."""
        return list(self.board.finished)

    def run_scores(self, run: int) -> RunScores:
        """Return the scores of a finished run.

        Raises:
            StudioError: If it left none.
        """
        return self.board.scores(run)

    @property
    def current(self) -> RunScores | None:
        """The scores that make the pseudo-labels, or None before the first run."""
        return self.board.current

    @property
    def previous(self) -> RunScores | None:
        """The scores of the finished run before the current one, for what is new, withdrawn and flipped."""
        return self.board.previous

    def current_choice(self) -> tuple[int | None, str]:
        """Return the run whose scores make the pseudo-labels, and why it is that one, in words."""
        return self.board.choice()

    def choose_run(self, run: int | None) -> None:
        """Make a run's scores the pseudo-labels; None goes back to the better one.

        Raises:
            StudioError: If the run has not finished.
        """
        self.board.choose(run)

    def proposals_array(self) -> npt.NDArray[np.int8]:
        """Return the pseudo-labels as (N, C) int8: +1, -1, or 0 where there is none. Read it; never write to it."""
        current = self.current
        if current is None:
            return np.zeros(self.ledger.states.shape, dtype=np.int8)
        with self._guard:
            key = (current.run, self.ledger.seq, self.settings.version)
            if self._proposals is None or self._proposals[0] != key:
                self._proposals = (key, self.propose(current))
            return self._proposals[1]

    def propose(self, scores: RunScores) -> npt.NDArray[np.int8]:
        """Return the (N, C) int8 pseudo-labels that some run's scores give at today's states and thresholds."""
        return propose(
            scores.scores,
            self.ledger.states,
            self.thresholds,
            excluded_rows=self.table.is_test,
            unsure_run=self.ledger.unsure_run,
            run=scores.run,
        )

    def proposals(
        self,
        class_name: str | None = None,
        value: int | None = None,
        min_confidence: float = 0.0,
        limit: int | None = None,
    ) -> list[Proposal]:
        """Return pseudo-labels, surest first.

        Args:
            class_name: Only of this class.
            value: Only +1 or only -1.
            min_confidence: Only from this confidence on, in [0, 1].
            limit: How many at the most.

        Raises:
            StudioError: If there is no such class.
        """
        current, array = self.current, self.proposals_array()
        if current is None:
            return []
        wanted = array != 0 if value is None else array == value
        if class_name is not None:
            if class_name not in self.ledger.column_of:
                raise StudioError(
                    f"there is no class {class_name!r}", f"classes are: {', '.join(self.class_names[:20])}"
                )
            only = np.zeros(self.table.num_classes, dtype=bool)
            only[self.ledger.column_of[class_name]] = True
            wanted = wanted & only
        rows, columns = np.nonzero(wanted)
        scores = current.scores[rows, columns].astype(np.float64)
        confidence = np.where(array[rows, columns] == POSITIVE, scores, 1 - scores)
        order = np.argsort(-confidence, kind="stable")
        order = order[confidence[order] >= min_confidence][:limit]
        return [
            Proposal(
                image_id=self.image_ids[rows[i]],
                path=self.table.paths[rows[i]],
                class_name=self.class_names[columns[i]],
                value=int(array[rows[i], columns[i]]),
                score=float(scores[i]),
                confidence=float(confidence[i]),
                run=current.run,
            )
            for i in order
        ]

    def conflicts_array(self, scores: RunScores) -> npt.NDArray[np.int8]:
        """Return where a run's scores confidently contradict a known cell.

        (N, C) int8: the state that the model claims, 0 where it does not contradict.
        """
        mask = conflict_mask(self.ledger.states, scores.scores, self.table.is_test)
        return np.where(mask, -self.ledger.states, 0).astype(np.int8)

    # what a person says ------------------------------------------------------

    def decide(
        self, image_id: str, class_name: str, state: int, *, answer: str = "set", note: str = ""
    ) -> Receipt:
        """Set the state of one cell.

        Args:
            image_id: The image.
            class_name: The class.
            state: +1 positive, -1 negative, 0 unknown.
            answer: set, accept, reject, unsure or skip; accept and reject leave a cell alone that is known already.
            note: A person's words.

        Raises:
            StudioError: If there is no such cell or state.
        """
        decision = Decision(image_id, class_name, state, answer, self.score_of(image_id, class_name))
        current, _ = self.current_choice()
        return self.ledger.decide([decision], who=self.who, origin="python", run=current, note=note)

    def undo(self) -> Receipt:
        """Undo this person's last action."""
        return self.ledger.undo(self.who)

    def redo(self) -> Receipt:
        """Bring back what this person undid last."""
        return self.ledger.redo(self.who)

    def score_of(self, image_id: str, class_name: str) -> float | None:
        """Return the calibrated score of a cell, or None where no run has scored it."""
        row, column = self.ledger.position(image_id, class_name)
        current = self.current
        if current is None or not current.is_scored(row, column):
            return None
        return round(float(current.scores[row, column]), 4)

    # training ----------------------------------------------------------------

    def start_run(
        self,
        recipe: str = "quick",
        overrides: Mapping[str, Any] | None = None,
        init_from: int | None = None,
        *,
        seed: int = DEFAULT_SEED,
    ) -> int:
        """Start the trainer process on a snapshot of today's labels and return the run's number at once.

        Args:
            recipe: quick, 2wayaug-pl or 2wayaug-pl-released.
            overrides: Hyper-parameters by dotted name.
            init_from: A run to start warm from.
            seed: Everything random follows from it.

        Raises:
            StudioError: If the recipe or a value is wrong, nothing is known yet, or a run is on its way already.
        """
        states = self.ledger.states[~self.table.is_test]
        if not ((states == POSITIVE).any() and (states == NEGATIVE).any()):
            raise StudioError(
                "there is nothing to learn from: no positive or no negative cell is known outside split test",
                "answer a few cells of each kind in Browse first",
            )
        config = RunConfig.create(recipe, overrides=overrides or {}, init_from=init_from, seed=seed)
        run = self.jobs.create(
            config, root=self.workspace.root, table=self.table, states=self.ledger.states.copy()
        )
        self.jobs.start(run)
        self.refresh()
        return run

    def train(
        self,
        recipe: str = "quick",
        *,
        wait: bool = True,
        init_from: int | None = None,
        watch: Callable[[RunInfo], None] | None = None,
        **overrides: Any,
    ) -> RunInfo:
        """Train and, unless told otherwise, wait for the end.

        Args:
            recipe: quick, 2wayaug-pl or 2wayaug-pl-released.
            wait: Whether to return only when the run has ended.
            init_from: A run to start warm from.
            watch: Called about twice a second with the run's state while waiting.
            **overrides: Hyper-parameters; a dot in the name is written as two underscores.

        Raises:
            StudioError: If the run can't be started or fails.
        """
        named = {name.replace("__", "."): value for name, value in overrides.items()}
        run = self.start_run(recipe, named, init_from)
        if not wait:
            return self.jobs.info(run)
        info = self.jobs.wait(run, watch)
        self.refresh()
        if info.status in ("failed", "died"):
            raise StudioError(
                f"run {run} {info.status}: {info.message}",
                f"see {self.workspace.runs / f'{run:04d}' / 'log.txt'}",
            )
        return info

    @property
    def runs_version(self) -> int:
        """Rises whenever a run's state or the choice of scores changes."""
        return self.board.version

    def refresh(self) -> bool:
        """Look at the run folders, as a server does about once a second; return whether anything changed."""
        return self.board.refresh()

    # leaving -----------------------------------------------------------------

    def export(self, file: str | Path, format: str = "csv-long", *, proposals: bool = False) -> LossReport:  # noqa: A002
        """Write the labels to a file and return what the format could not hold.

        Args:
            file: Where to write; replaced in one step.
            format: csv-long or csv-wide.
            proposals: Whether to add the open pseudo-labels (csv-long only, marked as such).

        Raises:
            StudioError: If the format is unknown or the file can't be written.
        """
        if format not in WRITE_FORMATS:
            raise StudioError(f"unknown format {format!r}", f"use one of: {', '.join(WRITE_FORMATS)}")
        current = self.current
        with self.ledger.lock:
            table = replace(self.table, states=self.ledger.states.copy())
            details = CellDetails(
                sources=self.ledger.sources.copy(),
                proposals=self.proposals_array() if proposals else None,
                scores=None if current is None else current.scores,
            )
        return write_cells(Path(file), format, table, details)

    def close(self) -> None:
        """Give the workspace back; a second call does nothing."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def lock(self) -> WorkspaceLock:
        """The workspace's lock.

        Raises:
            StudioError: If this studio is read-only or closed.
        """
        if self._lock is None:
            raise StudioError("this studio holds no lock", "open it with read_only=False")
        return self._lock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def current_user() -> str:
    """Return the system's name for the person at work."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user entry
        return "someone"
