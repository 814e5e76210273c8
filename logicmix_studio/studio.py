"""`Studio`: one opened data set. Command line, app, plugin and notebooks are thin over it."""

from __future__ import annotations

import getpass
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.formats import Cells, LossReport, write_cells
from logicmix_studio.importing import ImportOptions, ImportReport, count_not_kept, import_dataset, remember_export
from logicmix_studio.labels import LabelTable
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
    add_class,
    locate_workspace,
    rename_class,
)
from logicmix_studio.words import Progress

if TYPE_CHECKING:
    from logicmix_studio.explore.blends import BlendService
    from logicmix_studio.explore.images import ImageService
    from logicmix_studio.explore.labelling import LabelService
    from logicmix_studio.explore.overview import OverviewService
    from logicmix_studio.review.audit_service import AuditService
    from logicmix_studio.review.bulk_service import BulkService
    from logicmix_studio.review.service import ReviewService
    from logicmix_studio.runs.service import RunService
    from logicmix_studio.store.fiftyone.dataset_sync import DatasetSync

FOLLOW_SECONDS = 60.0
"""How long the FiftyOne data set is waited for."""
_log = logging.getLogger(__name__)

__all__ = ["Proposal", "Studio", "current_user"]


if TYPE_CHECKING:
    _service = cached_property
else:

    class _service(cached_property):  # noqa: N801  # a decorator
        """A service that is made at its first use, by one thread, and made anew after a reload."""

        def __get__(self, studio, owner=None):
            if studio is None:
                return self
            with studio._guard:
                return super().__get__(studio, owner)


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
        sync: The FiftyOne data set, while a studio is served, or decides where a data set stands already.
    """

    def __init__(self, workspace: Workspace, *, who: str | None = None, read_only: bool = False) -> None:
        """Open an existing workspace; see :meth:`open` for the usual way.

        Raises:
            StudioError: If there is none, it is broken, or another process holds it.
        """
        self.who = who or current_user()
        self.read_only = read_only
        self.workspace = workspace
        self.sync: DatasetSync | None = None
        self.jobs = Jobs(workspace.runs)
        self._guard = threading.RLock()
        self._changing = threading.Lock()
        self._on_reload: list[Callable[[], None]] = []
        self._lock: WorkspaceLock | None = None if read_only else WorkspaceLock(workspace)
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        dataset = Dataset(self.workspace, read_only=self.read_only)
        registry = RunRegistry(self.jobs, dataset.settings, dataset.table, dataset.renamed)
        with self._guard:
            self.dataset, self.registry = dataset, registry
            self.proposed = ProposalSet(dataset, registry)
            for name, made in vars(type(self)).items():
                if isinstance(made, _service):
                    self.__dict__.pop(name, None)

    # services ----------------------------------------------------------------

    @_service
    def review(self) -> ReviewService:
        """Queues of questions, their answers, conflicts and history."""
        from logicmix_studio.review.service import ReviewService

        return ReviewService(self.dataset, self.proposed)

    @_service
    def audits(self) -> AuditService:
        """Blind random checks of how right the pseudo-labels are."""
        from logicmix_studio.review.audit_service import AuditService

        return AuditService(self.dataset, self.proposed, self.review)

    @_service
    def bulk(self) -> BulkService:
        """Thresholds, and accepting many pseudo-labels at once."""
        from logicmix_studio.review.bulk_service import BulkService

        return BulkService(self.dataset, self.proposed, self.audits)

    @_service
    def overview(self) -> OverviewService:
        """What the data set lacks, what it gained over time, and the next best step."""
        from logicmix_studio.explore.overview import OverviewService

        return OverviewService(self.dataset, self.proposed, self.jobs)

    @_service
    def images(self) -> ImageService:
        """Find images, look at one with all its cells, find similar ones."""
        from logicmix_studio.explore.images import ImageService

        return ImageService(self.dataset, self.proposed, self.jobs)

    @_service
    def labelling(self) -> LabelService:
        """One image at a time with all its classes."""
        from logicmix_studio.explore.labelling import LabelService

        return LabelService(self.dataset, self.proposed, self.images)

    @_service
    def blends(self) -> BlendService:
        """Blends as the trainer draws them, and why their labels are right. The first use imports torch."""
        from logicmix_studio.explore.blends import BlendService  # torch costs seconds

        return BlendService(self.dataset, self.proposed, self.jobs)

    @_service
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

        A table that is lost is imported anew as it was the last time. Nothing is written with ``read_only``.

        Args:
            root: The data set's folder.
            workspace: Another place for the workspace than ``root/.logicmix``.
            who: The person on whose behalf to decide; the system's user unless given.
            read_only: Look only: works while a server holds the workspace.
            options: How to import; as the last time unless given.
            progress: Called as an import goes on.

        Raises:
            StudioError: If the folder can't be read, another process holds the workspace, or with ``read_only`` nothing
                has been imported.
        """
        prepare_environment()
        place = locate_workspace(Path(root), None if workspace is None else Path(workspace))
        if not (place.exists or read_only):
            import_dataset(place, ImportOptions.choose(place, options), progress)
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
    def warnings(self) -> list[str]:
        """What a person should know of the workspace, one sentence each: what could not be read, and why.

        Of audits once somebody has asked for them.
        """
        audits: AuditService | None = self.__dict__.get("audits")
        return [*self.dataset.warnings, *(audits.warnings if audits is not None else ())]

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

    def decide(self, image_id: str, class_name: str, state: int, *, answer: str = "set", note: str = "") -> Receipt:
        """Set the state of one cell: +1 positive, -1 negative, 0 unknown; the note is a person's words.

        The answer is set, accept, reject, unsure or skip; accept and reject leave a cell alone that is known already.

        Raises:
            StudioError: If there is no such cell or state.
        """
        self._follow_if_any()
        decision = Decision(image_id, class_name, state, answer, self.proposed.score_of(image_id, class_name))
        run, _ = self.proposed.choice()
        return self.ledger.decide([decision], who=self.who, origin="python", run=run, note=note)

    def undo(self) -> Receipt:
        """Undo this person's last action."""
        self._follow_if_any()
        return self.ledger.undo(self.who)

    def redo(self) -> Receipt:
        """Bring back what this person undid last."""
        self._follow_if_any()
        return self.ledger.redo(self.who)

    def follow(self, *, app_port: int = 0) -> DatasetSync:
        """Let the FiftyOne data set follow from now on, made where there is none; :meth:`close` waits for it.

        Args:
            app_port: Where the FiftyOne App is to listen when it is opened; 0 takes a free port.

        Raises:
            StudioError: If the database cannot be started.
        """
        from logicmix_studio.store.fiftyone.dataset_sync import DatasetSync  # the database's client costs half a second

        sync = DatasetSync(self.dataset, self.proposed, app_port=app_port)
        sync.start()
        self.on_reload(lambda: sync.reload(self.dataset, self.proposed))
        self.sync = sync
        return sync

    def _follow_if_any(self) -> None:
        if self.sync is None and self.workspace.identity_file.exists() and not self.read_only:
            try:
                self.follow()
            except StudioError as error:
                _log.warning("the decision is in the journal; the FiftyOne data set gets it later: %s", error)

    # training ----------------------------------------------------------------

    def train(
        self,
        recipe: str = "quick",
        *,
        wait: bool = True,
        init_from: int | None = None,
        watch: Callable[[RunInfo], None] | None = None,
        **overrides: Any,
    ) -> RunInfo:
        """Train and, unless told otherwise, wait for the end; see :meth:`RunService.wait`.

        Args:
            recipe: fast (quick), thorough (2wayaug-pl) or as published (2wayaug-pl-released).
            wait: Whether to return only when the run has ended.
            init_from: A run to start warm from.
            watch: Called about twice a second with the run's state while waiting.
            **overrides: Hyper-parameters; a dot in the name is written as two underscores.

        Raises:
            StudioError: If the run can't be started or fails.
        """
        named = {name.replace("__", "."): value for name, value in overrides.items()}
        run = self.runs.start(recipe, named, init_from)
        return self.runs.wait(run, watch) if wait else self.jobs.info(run)

    # leaving -----------------------------------------------------------------

    def export(
        self,
        file: str | Path,
        format: str = "csv-long",  # noqa: A002
        *,
        proposals: bool = False,
        strict: bool = False,
        harmless: bool = False,
        progress: Progress | None = None,
    ) -> LossReport:
        """Write the labels to a file or folder, replaced in one step, and return what the format could not hold.

        Args:
            file: Where to write.
            format: One of ``WRITE_FORMATS``.
            proposals: Whether to write the open pseudo-labels, too, marked as such where the format can.
            strict: Whether to refuse a format that would lose something.
            harmless: Whether names that a spreadsheet would run as a formula get an apostrophe, in CSV.
            progress: Told how many images are written.

        Raises:
            StudioError: If the format is unknown or the file can't be written.
        """
        current, file = self.proposed.current, Path(file)
        with self.ledger.lock:
            cells = Cells.of(
                replace(self.table, states=self.ledger.states.copy()),
                sources=self.ledger.sources.copy(),
                proposals=self.proposed.array() if proposals else None,
                scores=None if current is None else current.scores,
                run=self.proposed.choice()[0] if proposals else None,
                root=self.workspace.root,
                progress=progress,
            )
            lines = tuple(self.ledger.lines)
        not_kept = count_not_kept(lines, cells.table, self.dataset.renamed)
        report = write_cells(file, format, cells, not_kept=not_kept, is_strict=strict, is_harmless=harmless)
        remember_export(self.workspace, file)
        return report

    # other classes and images ------------------------------------------------

    def add_class(self, name: str, *, who: str | None = None) -> None:
        """Add a class, unknown everywhere.

        Raises:
            StudioError: If the name is empty or taken, or the data set is being changed already.
        """
        with self._change():
            name = add_class(self.workspace, name)
        self._note(f"added the class {name!r}", who, {"added": name})

    def rename_class(self, class_name: str, new_name: str, *, who: str | None = None) -> None:
        """Give a class another name; its labels, answers, scores and thresholds stay.

        Raises:
            StudioError: If there is no such class, the name is taken, or the data set is being changed already.
        """
        with self._change():
            new_name = rename_class(self.workspace, class_name, new_name)
        extra = {"renamed": [class_name, new_name]}
        self._note(f"renamed the class {class_name!r} to {new_name!r}", who, extra)

    def import_again(self, *, who: str | None = None, progress: Progress | None = None) -> ImportReport:
        """Read images and labels of the folder anew, as they were read the first time, and return what is new.

        Raises:
            StudioError: If something can't be read, or the data set is being changed already; nothing is changed then.
        """
        with self._change():
            report = import_dataset(self.workspace, ImportOptions.recall(self.workspace), progress)
        self._note(" ".join(["imported again:", *report.changed]), who)
        return report

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Let one caller at a time change images or classes, then read the workspace anew."""
        self.lock  # noqa: B018  # raises where this studio may not write
        if not self._changing.acquire(blocking=False):
            raise StudioError("the data set is being changed already", "wait until that has ended")
        try:
            yield
            self.reload()
        finally:
            self._changing.release()

    def _note(self, text: str, who: str | None, extra: Mapping[str, Any] | None = None) -> None:
        self.ledger.note(text, who=who or self.who, origin="dataset", extra=extra)

    def reload(self) -> None:
        """Read the workspace anew: other classes, other images; the lock stays, every service is made anew."""
        # Whoever writes now comes before; whoever waits for the lock is told to ask again.
        with self._guard, self.ledger.lock:
            before = self.dataset
            self._load()
            before.close()
        for listener in self._on_reload:
            listener()

    def on_reload(self, listener: Callable[[], None]) -> None:
        """Have a function called after every :meth:`reload`."""
        self._on_reload.append(listener)

    def close(self) -> None:
        """Let the FiftyOne data set catch up and give the workspace back; a second call does nothing."""
        if self.sync is not None:
            self.sync.wait_until_written(FOLLOW_SECONDS)
            self.sync.close()
            self.sync = None
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
