"""`Studio`: one opened data set. Command line, app, plugin and notebooks are thin over it."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.formats import WRITE_FORMATS, CellDetails, LossReport, write_cells
from logicmix_studio.importing import ImportOptions, Progress, import_dataset
from logicmix_studio.labels import NEGATIVE, POSITIVE, LabelTable
from logicmix_studio.review.proposal_set import Proposal, ProposalSet
from logicmix_studio.runs import Jobs, RunInfo
from logicmix_studio.runs.registry import RunRegistry
from logicmix_studio.store import (
    Dataset,
    Decision,
    Ledger,
    Receipt,
    Settings,
    Workspace,
    WorkspaceLock,
    locate_workspace,
)
from logicmix_studio.training.config import DEFAULT_SEED, RunConfig

if TYPE_CHECKING:
    from logicmix_studio.explore.blends import BlendService
    from logicmix_studio.explore.images import ImageService
    from logicmix_studio.explore.labelling import LabelService
    from logicmix_studio.explore.overview import OverviewService
    from logicmix_studio.review.audit_service import AuditService
    from logicmix_studio.review.bulk_service import BulkService
    from logicmix_studio.review.service import ReviewService
    from logicmix_studio.runs.service import RunService

__all__ = ["Proposal", "Studio", "current_user"]


class Sync(Protocol):
    """What keeps a FiftyOne data set behind the ledger while a studio is served."""

    @property
    def status(self) -> Any:
        """How the data set is doing: state, message, lag and fraction."""

    def open_app(self, image_ids: Sequence[str] | None = None) -> str:
        """Start the FiftyOne App unless it runs and return the address of its page."""


class Studio:
    """One data set, opened.

    Use it as a context manager::

        with Studio.open("dataset") as studio:
            studio.train("quick")
            for proposal in studio.proposals(class_name="dog", limit=10):
                studio.decide(proposal.image_id, "dog", proposal.value)
            studio.undo()
            studio.export("labels.csv", "csv-long")

    What a tab of the page shows and does is a method of one of the services: ``review``, ``audits``, ``bulk``,
    ``labelling``, ``overview``, ``images``, ``blends``, ``runs``.

    Attributes:
        dataset: Labels, journal and settings.
        proposed: What the finished runs claim: scores, pseudo-labels, conflicts.
        jobs: The trainer's processes: start, watch, pause, cancel, resume.
        registry: Which runs have finished, and whose scores make the pseudo-labels.
        who: The person on whose behalf this process decides.
        sync: The FiftyOne data set, while a studio is served.
    """

    def __init__(self, workspace: Workspace, *, who: str | None = None, read_only: bool = False) -> None:
        """Open an existing workspace; see :meth:`open` for the usual way.

        Raises:
            StudioError: If there is none, it is broken, or another process holds it.
        """
        self.who = who or current_user()
        self.read_only = read_only
        self.workspace = workspace
        self.sync: Sync | None = None
        self._lock: WorkspaceLock | None = None if read_only else WorkspaceLock(workspace)
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        self.dataset = Dataset(self.workspace, read_only=self.read_only)
        self.jobs = Jobs(self.workspace.runs)
        self.registry = RunRegistry(self.jobs, self.dataset.settings, self.dataset.table)
        self.proposed = ProposalSet(self.dataset, self.registry)

    # services ----------------------------------------------------------------

    @cached_property
    def review(self) -> ReviewService:
        """Queues of questions, their answers, conflicts and history."""
        from logicmix_studio.review.service import ReviewService

        return ReviewService(self.dataset, self.proposed)

    @cached_property
    def audits(self) -> AuditService:
        """Blind random checks of how right the pseudo-labels are."""
        from logicmix_studio.review.audit_service import AuditService

        return AuditService(self.dataset, self.proposed, self.review)

    @cached_property
    def bulk(self) -> BulkService:
        """Thresholds, and accepting many pseudo-labels at once."""
        from logicmix_studio.review.bulk_service import BulkService

        return BulkService(self.dataset, self.proposed, self.review, self.audits)

    @cached_property
    def overview(self) -> OverviewService:
        """What the data set lacks, what it gained over time, and the next best step."""
        from logicmix_studio.explore.overview import OverviewService

        return OverviewService(self.dataset, self.proposed, self.jobs)

    @cached_property
    def images(self) -> ImageService:
        """Find images, look at one with all its cells, find similar ones."""
        from logicmix_studio.explore.images import ImageService

        return ImageService(self.dataset, self.proposed, self.jobs)

    @cached_property
    def labelling(self) -> LabelService:
        """One image at a time with all its classes."""
        from logicmix_studio.explore.labelling import LabelService

        return LabelService(self.dataset, self.proposed, self.images)

    @cached_property
    def blends(self) -> BlendService:
        """Blends as the trainer draws them, and why their labels are right. The first use imports torch."""
        from logicmix_studio.explore.blends import BlendService  # noqa: PLC0415  # torch costs seconds

        return BlendService(self.dataset, self.proposed, self.jobs)

    @cached_property
    def runs(self) -> RunService:
        """Recipes, expected times, runs and their comparison."""
        from logicmix_studio.runs.service import RunService

        return RunService(self.dataset, self.proposed, self.jobs, self.registry)

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
    def ledger(self) -> Ledger:
        """The states of all cells and the only way to change them."""
        return self.dataset.ledger

    @property
    def settings(self) -> Settings:
        """What people chose on screen."""
        return self.dataset.settings

    @property
    def info(self) -> dict[str, Any]:
        """The file ``workspace.json``."""
        return self.dataset.info

    @property
    def table(self) -> LabelTable:
        """The imported labels."""
        return self.dataset.table

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in column order."""
        return self.dataset.class_names

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The images, in row order."""
        return self.dataset.image_ids

    @property
    def states(self) -> npt.NDArray[np.int8]:
        """(N, C) int8 states at this moment, read-only."""
        return self.dataset.states

    @property
    def complete(self) -> npt.NDArray[np.int8] | None:
        """(N, C) int8 complete states in a trial or the demo, else None; for evaluation only."""
        return self.dataset.complete

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.dataset.name

    def image_path(self, image_id: str) -> Path:
        """Return the file of an image.

        Raises:
            StudioError: If there is no such image.
        """
        return self.dataset.image_path(image_id)

    # what a model says -------------------------------------------------------

    def proposals(
        self,
        class_name: str | None = None,
        value: int | None = None,
        min_confidence: float = 0.0,
        limit: int | None = None,
    ) -> list[Proposal]:
        """Return pseudo-labels, surest first; see :meth:`ProposalSet.find`.

        Raises:
            StudioError: If there is no such class.
        """
        return self.proposed.find(class_name, value, min_confidence, limit)

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
        decision = Decision(image_id, class_name, state, answer, self.proposed.score_of(image_id, class_name))
        current, _ = self.proposed.choice()
        return self.ledger.decide([decision], who=self.who, origin="python", run=current, note=note)

    def undo(self) -> Receipt:
        """Undo this person's last action."""
        return self.ledger.undo(self.who)

    def redo(self) -> Receipt:
        """Bring back what this person undid last."""
        return self.ledger.redo(self.who)

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

    def refresh(self) -> bool:
        """Look at the run folders, as a server does about once a second; return whether anything changed."""
        return self.registry.refresh()

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
        current = self.proposed.current
        with self.ledger.lock:
            table = replace(self.table, states=self.ledger.states.copy())
            details = CellDetails(
                sources=self.ledger.sources.copy(),
                proposals=self.proposed.array() if proposals else None,
                scores=None if current is None else current.scores,
            )
        return write_cells(Path(file), format, table, details)

    def close(self) -> None:
        """Give the workspace back; a second call does nothing."""
        if "dataset" in self.__dict__:
            self.dataset.close()
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
