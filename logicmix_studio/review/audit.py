"""Blind random checks: the only answers that measure how right a run is.

Cells are drawn at random, without replacement, within strata of sign and confidence band (and class, where
asked), as many as were fixed before the first look. They are shown shuffled, without score and without the
proposed answer, so that nobody is steered. Some known cells are planted among them: they tell how often the
person agrees with what is already known.

Only the plan's own items count; what people answered in a chosen order never does. The answers to claims
are decisions like any other, and settle their cells. The answers to planted cells only measure and change
no state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.bands import BAND_EDGES, NUM_BANDS, band_bounds, band_of_bits
from logicmix_studio.review.cells import CellView
from logicmix_studio.review.proposals import confidences, open_cells

PER_STRATUM = 30
"""Cells of a stratum, where it has as many."""

NUM_KNOWN = 10
"""Known cells planted in an audit."""

SIGNS = (POSITIVE, NEGATIVE)

Cell = tuple[str, str]
"""Image id and class name."""


@dataclass(frozen=True)
class AuditSpec:
    """What is to be measured, fixed before the first look."""

    seed: int
    """Seed of the draw and of the order."""
    per_stratum: int = PER_STRATUM
    """Cells a stratum, 1 or more."""
    class_names: tuple[str, ...] = ()
    """Only these classes; all where empty."""
    by_class: bool = False
    """Whether each class has strata of its own; otherwise a stratum ranges over the classes."""
    lowest_confidence: float = 0.5
    """Bands that end at or below it are left out."""
    num_known: int = NUM_KNOWN
    """Known cells to plant, half of them positive where there are as many."""

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be drawn."""
        if self.per_stratum < 1 or self.num_known < 0:
            raise StudioError(
                f"An audit has {self.per_stratum} cells a stratum and {self.num_known} planted cells.",
                "Choose at least one cell a stratum.",
            )


@dataclass(frozen=True)
class AuditItem:
    """One cell of an audit; only `image_id` and `class_name` are shown."""

    image_id: str
    class_name: str
    sign: int
    """What the run claims, or, for a planted cell, what is known."""
    band: int = -1
    """Index into `BAND_EDGES`; -1 for a planted cell."""
    confidence: float = 1.0
    """Of the claim."""

    @property
    def cell(self) -> Cell:
        """Image id and class name."""
        return self.image_id, self.class_name

    @property
    def is_planted(self) -> bool:
        """Whether the cell was known before."""
        return self.band < 0


@dataclass(frozen=True)
class Stratum:
    """Cells that are measured together."""

    sign: int
    band: int
    class_name: str = ""
    """Empty where the stratum ranges over the classes."""
    population: int = 0
    """Open cells it had when the audit was drawn."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The confidence band, the lower end included."""
        return band_bounds(self.band)


@dataclass(frozen=True)
class AuditPlan:
    """A drawn audit: what is shown, in the order in which it is shown."""

    run: int
    """The run whose claims are checked; it says nothing about another run."""
    by_class: bool
    items: tuple[AuditItem, ...]
    strata: tuple[Stratum, ...]
    seed: int = 0
    edges: tuple[float, ...] = field(default=BAND_EDGES)

    def shown(self) -> list[Cell]:
        """Return what a person may see: cells, without any claim."""
        return [item.cell for item in self.items]

    def stratum_of(self, item: AuditItem) -> tuple[int, int, str]:
        """Return sign, band and class name ("" where pooled) of an item's stratum."""
        return item.sign, item.band, item.class_name if self.by_class else ""

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> AuditPlan:
        """Return the plan that `to_json` wrote.

        Raises:
            StudioError: If it was drawn with other bands, or parts are missing.
        """
        try:
            plan = cls(
                run=int(saved["run"]),
                by_class=bool(saved["by_class"]),
                items=tuple(AuditItem(**item) for item in saved["items"]),
                strata=tuple(Stratum(**stratum) for stratum in saved["strata"]),
                seed=int(saved["seed"]),
                edges=tuple(saved["edges"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StudioError(f"An audit cannot be read: {error!r}.", "Draw a new one.") from error
        if plan.edges != BAND_EDGES:
            raise StudioError(f"An audit has the confidence bands {plan.edges}.", "Draw a new one.")
        return plan


def plan_audit(view: CellView, image_ids: Sequence[str], spec: AuditSpec) -> AuditPlan:
    """Draw an audit.

    Args:
        view: The cells as they are now, with scores; images of the test split are left out.
        image_ids: N ids, in row order.
        spec: What to measure.

    Raises:
        StudioError: If there is no run, or the spec names a class that is none.
    """
    if view.scores is None:
        raise StudioError("There are no pseudo-labels to audit.", "Train first.")
    rng = np.random.default_rng(spec.seed)
    cells, codes = _strata_of_cells(view, spec)
    order = np.argsort(codes, kind="stable")
    cells, codes = cells[order], codes[order]
    starts = np.flatnonzero(np.diff(codes.astype(np.int64), prepend=-1))
    drawn: list[NDArray[np.int64]] = [_planted(view, spec, rng)]
    strata: list[Stratum] = []
    for start, size in zip(starts, np.diff(starts, append=len(codes)).tolist(), strict=True):
        picks = rng.choice(size, size=min(size, spec.per_stratum), replace=False)
        drawn.append(cells[start + picks])
        strata.append(_stratum(view, int(codes[start]), size, by_class=spec.by_class))
    items = _items(view, image_ids, rng.permutation(np.concatenate(drawn)))
    return AuditPlan(view.run, spec.by_class, items, tuple(strata), spec.seed)


def _strata_of_cells(view: CellView, spec: AuditSpec) -> tuple[NDArray[np.int64], NDArray[Any]]:
    assert view.scores is not None
    mask = open_cells(view.states, view.excluded_rows, view.unsure_run, view.run)
    mask &= view.scores != np.float16(0.5)
    if spec.class_names:
        missing = [name for name in spec.class_names if name not in view.class_names]
        if missing:
            raise StudioError(
                f"There is no class {missing[0]!r}.", f"The classes are {', '.join(view.class_names)}."
            )
        mask &= np.isin(view.class_names, spec.class_names)
    cells = np.flatnonzero(mask)
    bands = band_of_bits()[view.bits.ravel()[cells]].astype(np.int64)
    codes: NDArray[np.int64] = 2 * bands + (view.scores.ravel()[cells] < np.float16(0.5))
    if spec.by_class:
        codes += (cells % view.num_classes) * 2 * NUM_BANDS
    ends = np.array([band_bounds(band)[1] for band in range(NUM_BANDS)])
    wanted = ends[bands] > spec.lowest_confidence
    # Whole numbers of 8 or 16 bits are sorted by counting.
    return cells[wanted], codes[wanted].astype(np.min_scalar_type(2 * NUM_BANDS * view.num_classes))


def _stratum(view: CellView, code: int, population: int, *, by_class: bool) -> Stratum:
    class_index, rest = divmod(code, 2 * NUM_BANDS)
    sign = NEGATIVE if rest % 2 else POSITIVE
    return Stratum(sign, rest // 2, view.class_names[class_index] if by_class else "", population)


def _planted(view: CellView, spec: AuditSpec, rng: np.random.Generator) -> NDArray[np.int64]:
    allowed = (view.states != UNKNOWN) & ~view.excluded_rows[:, np.newaxis]
    if spec.class_names:
        allowed &= np.isin(view.class_names, spec.class_names)
    known = np.flatnonzero(allowed)
    is_positive = view.states.ravel()[known] == POSITIVE
    half = min(spec.num_known // 2, int(is_positive.sum()))
    picked = [rng.choice(known[is_positive], half, replace=False)]
    rest = known[~is_positive]
    picked.append(rng.choice(rest, min(spec.num_known - half, len(rest)), replace=False))
    return np.concatenate(picked)


def _items(view: CellView, image_ids: Sequence[str], cells: NDArray[np.int64]) -> tuple[AuditItem, ...]:
    assert view.scores is not None
    states = view.states.ravel()[cells]
    scores = view.scores.ravel()[cells]
    claims = np.where(states != UNKNOWN, states, np.where(scores < np.float16(0.5), -1, 1)).astype(np.int8)
    confidence = confidences(scores, claims)
    bands = np.where(states != UNKNOWN, -1, band_of_bits()[view.bits.ravel()[cells]])
    rows, columns = np.divmod(cells, view.num_classes)
    return tuple(
        AuditItem(image_ids[row], view.class_names[column], sign, band, certainty)
        for row, column, sign, band, certainty in zip(
            rows.tolist(), columns.tolist(), claims.tolist(), bands.tolist(), confidence.tolist(), strict=True
        )
    )
