"""Blends as the trainer draws them, why their labels are right, and what else can be seen of them. Imports torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.blend_labels import SourceLabels, TruthRow, truth_rows
from logicmix_studio.explore.blend_methods import (
    BlendScores,
    MethodResult,
    as_picture,
    compare_methods,
    even_blend,
    most_telling,
    score_blend,
)
from logicmix_studio.explore.blend_statistics import BlendStatistics, blend_statistics, size_weights
from logicmix_studio.explore.image_query import ImageQuery, JournalIndex, find_images
from logicmix_studio.images.augment import OPERATIONS, SIGNED, AugmentParams, augment
from logicmix_studio.images.pixels import ResizeRule, load_pixels
from logicmix_studio.labels import POSITIVE, STATE_NAMES, UNKNOWN
from logicmix_studio.mixing import Output, or_states
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.runs import Jobs
from logicmix_studio.runs.jobs import snapshot_of
from logicmix_studio.store import Dataset, Decision, Receipt
from logicmix_studio.training.config import DEFAULT_SEED, FullSettings, recipe_settings
from logicmix_studio.training.data import working_states
from logicmix_studio.training.draws import StepDraw, assemble, draw_step, draw_uses, epoch_steps, make_mixing
from logicmix_studio.training.heldout import TEST_SPLIT, VALIDATION_SPLIT, heldout_mask, trained_states, training_rows
from logicmix_studio.training.run_folder import RunFolder
from logicmix_studio.training.schedule import make_plan
from logicmix_studio.training.settings import MixingSettings

Picture = npt.NDArray[np.uint8]
"""(H, W, 3)."""
Rows = npt.NDArray[np.int64] | Sequence[int]

MOST_SOURCES: Final = 16
"""Most images of one blend; the trainer's own limit."""
DRAWS: Final = 1000
"""Samples behind the statistics."""
MOST_TRIES, FIRST_TRIES = 500, 100
"""Samples that are looked through for a blend, and for one that has something to show."""
SMALLEST, LARGEST = 16, 1024
"""Sides in pixels that are drawn."""


@dataclass(frozen=True)
class Blend:
    """One training sample: a blend, or a photograph that stays as it is."""

    draw: StepDraw
    """As the trainer has it, except that its rows are rows of the data set."""
    image_ids: tuple[str, ...]
    """The sources; an image may meet itself."""
    seed: int
    """Everything random follows from it."""
    sample: int | None
    """Which training sample of a run of this seed it is, from 1; None for a blend of chosen images."""

    @property
    def rows(self) -> list[int]:
        """Rows of the sources."""
        rows: list[int] = self.draw.rows.tolist()
        return rows


class SourceImages:
    """The images and cells that a run started now would train on, by the trainer's own rules; refuses all others.

    Images that can't be read are found only when they are looked at; a run leaves them out from the start.
    """

    def __init__(self, dataset: Dataset, proposed: ProposalSet, heldout_share: float) -> None:
        self._dataset, self._proposed, self._heldout_share = dataset, proposed, heldout_share
        self._index = JournalIndex(dataset.ledger)
        self._snapshot = snapshot_of(dataset.table, dataset.table.states)

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """(T,) the images that are trained on: neither of split test nor of val."""
        rows = training_rows(self._snapshot)
        if len(rows) == 0:
            raise StudioError("there are no images to blend", "images of the splits test and val are never blended")
        return rows

    @cached_property
    def heldout(self) -> npt.NDArray[np.bool_]:
        """(N, C), True where a cell is held out of training as soon as it is known."""
        return heldout_mask(self._snapshot, self._heldout_share)

    def working(self, rows: Rows, *, with_pseudo: bool) -> Tensor:
        """Return the (K, C) states of K images that an epoch works with; with pseudo-labels these fill what is unknown."""
        known = trained_states(self._dataset.ledger.states[rows], self.heldout[rows])
        pseudo = self._proposed.array()[rows] if with_pseudo else np.zeros_like(known)
        return working_states(known, pseudo)

    def rows_of(self, image_ids: Sequence[str]) -> list[int]:
        """Return the rows of chosen images, in their order; one may come twice."""
        if not 1 <= len(image_ids) <= MOST_SOURCES:
            raise StudioError(
                f"a blend is made of 1 to {MOST_SOURCES} images, not {len(image_ids)}", "choose other images"
            )
        rows = [self._dataset.row_of(image_id) for image_id in image_ids]
        table = self._dataset.table
        for row in rows:
            if table.splits[row] in (TEST_SPLIT, VALIDATION_SPLIT):
                raise StudioError(
                    f"{table.paths[row]} is of split {table.splits[row]}",
                    "images that measure are never blended: choose others",
                )
        return rows

    def find(self, query: ImageQuery) -> npt.NDArray[np.int64]:
        """Return the rows of the images that fit a query and may be blended."""
        found = find_images(self._dataset, self._proposed, self._index, query).rows
        return found[np.isin(found, self.rows)]


class BlendService:
    """Draws, mixes and explains, with the functions of the trainer. May be called from any thread.

    Each method raises a StudioError where there is no image to draw, or a chosen one does not exist, is never blended
    or can't be read.
    """

    def __init__(self, dataset: Dataset, proposed: ProposalSet, jobs: Jobs) -> None:
        # A blend is a small thing: one thread draws it sooner than two that wait for a busy trainer's cores.
        torch.set_num_threads(1)
        settings = recipe_settings("2wayaug-pl")
        assert isinstance(settings, FullSettings), "the thorough recipe trains the whole network"
        self.settings = settings
        self.sources = SourceImages(dataset, proposed, settings.selection.heldout_share)
        self._dataset, self._proposed, self._jobs = dataset, proposed, jobs

    # choosing ----------------------------------------------------------------

    def draw(
        self,
        seed: int = DEFAULT_SEED,
        sample: int = 1,
        mixing: MixingSettings | None = None,
        *,
        blends_only: bool = True,
        backwards: bool = False,
    ) -> Blend:
        """Return a sample that a run of this seed, started now, would train on.

        Args:
            seed: Of the run.
            sample: Which sample, from 1, in the order of training; epochs follow each other.
            mixing: How images are mixed; as the recipe does unless given.
            blends_only: Whether to go on to the next sample that is a blend, if there is one near.
            backwards: Whether to go back instead.
        """
        if sample < 1 or seed < 0:
            raise StudioError(f"there is no sample {sample} of seed {seed}", "count samples from 1, seeds from 0")
        mixing = mixing or self.settings.mixing
        number, way = sample - 1, -1 if backwards else 1
        step, first = self._step(seed, number, mixing)
        for tried in range(number, number + way * MOST_TRIES, way):
            if tried < 0 or not blends_only or mixing.probability == 0:
                break
            if not first <= tried < first + len(step):
                step, first = self._step(seed, tried, mixing)
            if step.params.mixed[tried - first]:
                return self._drawn(step, tried - first, seed, tried + 1)
        step, first = self._step(seed, number, mixing)
        return self._drawn(step, number - first, seed, sample)

    def draw_telling(self, seed: int = DEFAULT_SEED, mixing: MixingSettings | None = None) -> Blend:
        """Return the first blend with a positive and an open class, if there is one near; else the first."""
        first = blend = self.draw(seed, mixing=mixing)
        while blend.sample is not None and blend.sample < FIRST_TRIES:
            states = self.sources.working(blend.rows, with_pseudo=False)
            if {POSITIVE, UNKNOWN} <= set(or_states(states, torch.arange(len(states))[None])[0].tolist()):
                return blend
            blend = self.draw(seed, blend.sample + 1, mixing)
        return first

    def make(self, image_ids: Sequence[str], seed: int = DEFAULT_SEED) -> Blend:
        """Return the blend of 1 to 16 images that may be trained on; one may come twice.

        Its augmentation, and what other methods need, is drawn from the seed.
        """
        rows = self.sources.rows_of(image_ids)
        draw = StepDraw(torch.tensor(rows), even_blend(len(rows)), self._augmentation(len(rows), seed))
        return Blend(draw, tuple(image_ids), seed, None)

    # labels ------------------------------------------------------------------

    def truth_table(self, image_ids: Sequence[str], *, with_pseudo: bool = False) -> list[TruthRow]:
        """Return for each class the label of the blend of some images, what is known of them, and why.

        With pseudo-labels, these fill unknown cells first, as they do late in a run.
        """
        rows = self.sources.rows_of(image_ids)
        current, complete = self._proposed.current, self._dataset.complete
        labels = SourceLabels(
            states=self._dataset.ledger.states[rows],
            heldout=self.sources.heldout[rows],
            working=self.sources.working(rows, with_pseudo=with_pseudo).numpy(),
            proposals=self._proposed.array()[rows],
            scores=None if current is None else current.scores[rows],
            complete=None if complete is None else complete[rows],
        )
        return truth_rows(self._dataset.class_names, labels)

    def answer(self, image_id: str, class_name: str, state: int, *, who: str, action_id: str) -> Receipt:
        """Write what a person says of one cell, +1 or -1, unless somebody has settled it meanwhile.

        The same ``action_id`` twice is one action.
        """
        score, run = self._proposed.score_of(image_id, class_name), self._proposed.choice()[0]
        said = Decision(image_id, class_name, state, "set", score)
        return self._dataset.ledger.decide(
            [said], who=who, origin="blend", action_id=action_id, run=run, keep_known=True
        )

    # pictures ----------------------------------------------------------------

    def picture(self, blend: Blend, size: int = 448) -> Picture:
        """Return a blend as (size, size, 3), without augmentation."""
        return self._assembled(_plain(blend.draw), self._pixels(blend.rows, size))

    def network_view(self, blend: Blend, augment_seed: int = 0) -> list[tuple[Picture, Picture, str]]:
        """Return a blend, then its sources: before and after augmentation, as the network sees it, and what was done.

        Another augmentation than the sample's own is drawn from ``augment_seed`` unless this is 0.
        """
        draw, backbone = blend.draw, self.settings.backbone
        if augment_seed:
            draw = dataclasses.replace(draw, augmentation=self._augmentation(len(draw.rows), augment_seed))
        pixels = self._pixels(blend.rows, backbone.image_size, backbone.resize)
        after = augment(pixels, draw.augmentation)
        whole = (self._assembled(_plain(draw), pixels), self._assembled(draw, pixels))
        return [
            (*whole, "the mean of the augmented sources"),
            *(
                (as_picture(pixels[place]), as_picture(after[place]), augmentation_words(draw.augmentation, place))
                for place in range(len(pixels))
            ),
        ]

    def methods(
        self, blend: Blend, *, with_pseudo: bool = False, size: int = 224
    ) -> tuple[list[MethodResult], list[int]]:
        """Return what LogicMix and other methods make of the same sources, and the columns of the classes in an order.

        First come the classes in which the methods differ most.
        """
        complete, rows = self._dataset.complete, blend.rows
        results = compare_methods(
            self._pixels(rows, size),
            self.sources.working(rows, with_pseudo=with_pseudo),
            None if complete is None else complete[rows],
            blend.seed + (blend.sample or 0),
        )
        return results, most_telling(results)

    def scores(self, image_ids: Sequence[str]) -> BlendScores:
        """Return what the model of the current run says of the blend of some images, and of each of them."""
        run = self._proposed.choice()[0]
        if run is None:
            raise StudioError("there is no model yet", "train once: then it scores the blend and its sources")
        names = [(row.class_name, STATE_NAMES[row.state]) for row in self.truth_table(image_ids)]
        labels, folder = pd.DataFrame(names, columns=["class", "label"]), RunFolder(self._jobs.folder(run))
        return score_blend(run, folder, labels, self.sources.rows_of(image_ids), self._pixels)

    # many --------------------------------------------------------------------

    def statistics(
        self,
        seed: int = DEFAULT_SEED,
        mixing: MixingSettings | None = None,
        *,
        draws: int = DRAWS,
        with_pseudo: bool = False,
    ) -> BlendStatistics:
        """Return what is known in the first samples of a run of a seed, with the exact shares beside.

        Images are mixed as the recipe does unless told otherwise; pseudo-labels as for :meth:`truth_table`.
        """
        mixing = mixing or self.settings.mixing
        states = self.sources.working(self.sources.rows, with_pseudo=with_pseudo)
        labels, mixed, number = [], [], 0
        while number < draws:
            step, _ = self._step(seed, number, mixing)
            labels.append(or_states(states[step.rows], step.params.sources))
            mixed.append(step.params.mixed)
            number += len(step)
        return blend_statistics(
            self._dataset.class_names,
            states.numpy(),
            torch.cat(labels)[:draws].numpy(),
            torch.cat(mixed)[:draws].numpy(),
            size_weights(mixing.probability, mixing.min_sources, mixing.max_sources),
        )

    def _step(self, seed: int, number: int, mixing: MixingSettings) -> tuple[StepDraw, int]:
        """Return the optimiser step that holds a sample, counted from 0, and the number of its first sample."""
        count = len(self.sources.rows)
        epoch, place = divmod(number, count)
        anchors = epoch_steps(seed, epoch, count, make_plan(self.settings, count).steps_per_epoch)
        ends = np.cumsum([len(each) for each in anchors])
        step = int(np.searchsorted(ends, place, side="right"))
        draw = draw_step(anchors[step], count, mixing, self.settings.augment, seed=seed, epoch=epoch, step=step)
        return draw, epoch * count + int(ends[step]) - len(draw)

    def _drawn(self, step: StepDraw, place: int, seed: int, sample: int) -> Blend:
        one = step.select(torch.tensor([place]))
        draw = dataclasses.replace(one, rows=torch.from_numpy(self.sources.rows)[one.rows])
        return Blend(draw, tuple(self._dataset.image_ids[row] for row in draw.rows.tolist()), seed, sample)

    def _augmentation(self, num_uses: int, seed: int) -> AugmentParams:
        return draw_uses(num_uses, self.settings.augment, torch.Generator().manual_seed(seed))

    def _pixels(self, rows: Sequence[int], size: int, rule: str = "squash") -> Tensor:
        """Return (K, 3, size, size) uint8, decoded and squared like the trainer does."""
        side = max(SMALLEST, min(size, LARGEST))
        squared: ResizeRule = "crop" if rule == "crop" else "squash"
        paths = [self._dataset.image_path(self._dataset.image_ids[row]) for row in rows]
        return torch.stack([load_pixels(path, side, squared) for path in paths])

    def _assembled(self, draw: StepDraw, pixels: Tensor) -> Picture:
        """Return what the trainer makes of one sample, before it is normalised."""
        nothing, method = torch.zeros(len(pixels), 1, dtype=torch.int8), make_mixing(self.settings.mixing)
        mixed = assemble(draw, augment(pixels, draw.augmentation), nothing, method, Output())
        return as_picture(mixed.images[0])


def augmentation_words(params: AugmentParams, position: int) -> str:
    """Return what an augmentation does to the image at a position, in words."""
    parts = ["mirrored"] if bool(params.flips[position]) else []
    layers = zip(params.operations[position].tolist(), params.signs[position].tolist(), strict=True)
    for operation, sign in layers:
        name = OPERATIONS[operation]
        if name != "Identity":
            parts.append(f"{name} {'−' if sign < 0 else '+'}" if name in SIGNED else name)
    return ", ".join(parts) if parts else "left as it is"


def _plain(draw: StepDraw) -> StepDraw:
    """Return a draw without augmentation."""
    none = torch.empty(len(draw.rows), 0, dtype=torch.int64)
    unchanged = AugmentParams(torch.zeros(len(none), dtype=torch.bool), none, none, draw.augmentation.level)
    return dataclasses.replace(draw, augmentation=unchanged)
