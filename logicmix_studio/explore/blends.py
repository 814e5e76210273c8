"""Draws blends with the trainer's own code. Imports torch: ask for it late, in a worker thread."""

from __future__ import annotations

import dataclasses
import io
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from logicmix_studio.explore.blend_methods import COMPARISONS, compare_labels, mix
from logicmix_studio.explore.blend_sources import labels_of, trainable_rows
from logicmix_studio.explore.blend_statistics import (
    class_table,
    drawn_shares,
    exact_shares,
    shares_of,
    size_curve,
    size_weights,
)
from logicmix_studio.images.augment import OPERATIONS, SIGNED, AugmentParams, augment, draw_augmentation
from logicmix_studio.images.pixels import ResizeRule, load_pixels
from logicmix_studio.labels import POSITIVE, UNKNOWN, kleene_or
from logicmix_studio.mixing import LogicMix, MixingMethod, MixParams
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import RECIPES, FullSettings

JPEG_QUALITY: Final = 92
KEPT_PIXELS: Final = 96
"""Decoded images that stay in memory."""
MOST_TRIES: Final = 500
"""Seeds that are tried for a draw that is a blend."""
SMALLEST, LARGEST = 16, 1024
"""Sides in pixels that are drawn."""


class BlendRoom:
    """Draws, mixes and augments for the page. May be called from any thread.

    Args:
        studio: The opened data set.
    """

    def __init__(self, studio: Studio) -> None:
        # A blend is a small thing: one thread draws it sooner than two that wait for a busy trainer's cores.
        torch.set_num_threads(1)
        self._studio = studio
        self._guard = threading.Lock()
        self._pixels: OrderedDict[tuple[str, int, str, int], Tensor] = OrderedDict()
        settings = RECIPES["2wayaug-pl"]
        assert isinstance(settings, FullSettings)
        self.settings = settings

    # drawing -------------------------------------------------------------

    def draw(
        self,
        seed: int,
        k_min: int,
        k_max: int,
        probability: float,
        *,
        blends_only: bool,
        is_telling: bool = False,
    ) -> tuple[int, list[int]]:
        """Draw one training sample like the trainer.

        Args:
            seed: Everything random follows from it.
            k_min: Fewest sources.
            k_max: Most sources.
            probability: Of mixing at all.
            blends_only: Whether to go on to the next seeds until the draw is a blend.
            is_telling: Whether to go on until a class of it is positive and another open, if there is such one.

        Returns:
            The seed that was used, and the rows of the sources.

        Raises:
            StudioError: If there is no image to draw.
        """
        rows = trainable_rows(self._studio)
        method = LogicMix(probability, (k_min, k_max))
        tries = MOST_TRIES if (blends_only or is_telling) and probability > 0 else 1
        found: tuple[int, list[int]] | None = None
        for used in range(seed, seed + tries):
            params = _draw_many(method, len(rows), 1, used)
            if tries > 1 and not bool(params.mixed[0]):
                continue
            sources = rows[_sources(params, 0)].tolist()
            if not is_telling or self._tells(sources):
                return used, sources
            found = found or (used, sources)
        return found or (seed, rows[_sources(_draw_many(method, len(rows), 1, seed), 0)].tolist())

    def statistics(
        self, seed: int, draws: int, k_min: int, k_max: int, probability: float, *, with_pseudo: bool
    ) -> dict[str, Any]:
        """Draw many samples and return what is known in them, with the exact shares beside.

        Args:
            seed: Everything random follows from it.
            draws: How many samples.
            k_min: Fewest sources of a blend.
            k_max: Most sources of a blend.
            probability: Of mixing at all.
            with_pseudo: Whether pseudo-labels fill unknown cells first.

        Raises:
            StudioError: If there is no image to draw.
        """
        began = time.perf_counter()
        rows = trainable_rows(self._studio)
        states = self._studio.ledger.states[rows]
        if with_pseudo:
            states = np.where(states == UNKNOWN, self._studio.proposals_array()[rows], states)
        params = _draw_many(LogicMix(probability, (k_min, k_max)), len(rows), draws, seed)
        samples = [_sources(params, i) for i in range(draws)]
        blends = [
            sources for sources, is_mixed in zip(samples, params.mixed.tolist(), strict=True) if is_mixed
        ]
        single, weights = shares_of(states), size_weights(probability, k_min, k_max)
        all_drawn, all_exact = drawn_shares(states, samples), exact_shares(single, weights)
        of_blends = {k: weight for k, weight in size_weights(1.0, k_min, k_max).items() if k > 1}
        return {
            "draws": draws,
            "num_images": len(rows),
            "before": single.overall(),
            "blends": {
                "drawn": drawn_shares(states, blends).overall(),
                "exact": exact_shares(single, of_blends).overall(),
            }
            if blends
            else None,
            "samples": {"drawn": all_drawn.overall(), "exact": all_exact.overall()},
            "curve": size_curve(single),
            "classes": class_table(self._studio.class_names, single, all_drawn, all_exact),
            "seconds": round(time.perf_counter() - began, 4),
        }

    # pictures ------------------------------------------------------------

    def picture(
        self,
        rows: Sequence[int],
        size: int,
        *,
        method: str = "logicmix",
        seed: int = 0,
        augment_seed: int | None = None,
        only: int | None = None,
    ) -> bytes:
        """Return a JPEG of a blend, or of one source as it enters it.

        Args:
            rows: Rows of the sources.
            size: Side in pixels.
            method: One of `COMPARISONS`.
            seed: Where a method draws its own share or box.
            augment_seed: Where flip and RandAugment are drawn; none leaves the sources as they are.
            only: Position of one source to return in place of the blend.

        Raises:
            StudioError: If an image can't be read.
        """
        pixels = self.pixels(rows, size, self.settings.backbone.resize)
        if augment_seed is not None:
            pixels = augment(pixels, self._augmentation(len(rows), augment_seed))
        if only is not None:
            return _to_jpeg(pixels[only])
        states = torch.zeros(len(rows), 1, dtype=torch.int8)
        mixed = mix(COMPARISONS[method], pixels, states, seed)
        return _to_jpeg(mixed.images[0].mul(255).round().clamp(0, 255).to(torch.uint8))

    def pixels(self, rows: Sequence[int], size: int, rule: str) -> Tensor:
        """Return (K, 3, size, size) uint8 pixels of some images, squared like the trainer does.

        Args:
            rows: K rows.
            size: Side in pixels.
            rule: How other shapes become square.

        Raises:
            StudioError: If an image can't be read.
        """
        side = max(SMALLEST, min(size, LARGEST))
        return torch.stack([self._one(self._studio.image_ids[row], side, rule) for row in rows])

    def augmentation(self, rows: Sequence[int], seed: int) -> dict[str, Any]:
        """Return in words what the trainer's augmentation does to each source.

        Args:
            rows: Rows of the sources.
            seed: Where it is drawn.
        """
        params = self._augmentation(len(rows), seed)
        chosen = self.settings.augment
        return {
            "size": self.settings.backbone.image_size,
            "seed": seed,
            "settings": {**dataclasses.asdict(chosen), "resize": self.settings.backbone.resize},
            "sources": [
                {"id": self._studio.image_ids[row], "words": augmentation_words(params, i)}
                for i, row in enumerate(rows)
            ],
        }

    # other methods -------------------------------------------------------

    def methods(self, rows: Sequence[int], seed: int) -> list[dict[str, Any]]:
        """Return what every method makes of the labels of the same sources.

        Args:
            rows: Rows of the sources.
            seed: Where a method draws its own share or box.
        """
        return compare_labels(self._studio.class_names, labels_of(self._studio, rows), seed)

    # within --------------------------------------------------------------

    def _tells(self, sources: list[int]) -> bool:
        states = kleene_or(self._studio.ledger.states[sources])
        return bool((states == POSITIVE).any() and (states == UNKNOWN).any())

    def _augmentation(self, num_images: int, seed: int) -> AugmentParams:
        chosen = self.settings.augment
        return draw_augmentation(
            num_images,
            torch.Generator().manual_seed(seed),
            flip_probability=chosen.flip_probability,
            num_operations=chosen.num_operations,
            level=chosen.magnitude,
        )

    def _one(self, image_id: str, size: int, rule: str) -> Tensor:
        path = self._studio.image_path(image_id)
        changed = path.stat().st_mtime_ns if path.exists() else 0
        key = (image_id, size, rule, changed)
        with self._guard:
            if key in self._pixels:
                self._pixels.move_to_end(key)
                return self._pixels[key]
        squared: ResizeRule = "crop" if rule == "crop" else "squash"
        pixels = load_pixels(path, size, squared)
        with self._guard:
            self._pixels[key] = pixels
            while len(self._pixels) > KEPT_PIXELS:
                self._pixels.popitem(last=False)
        return pixels


def augmentation_words(params: AugmentParams, position: int) -> str:
    """Return what an augmentation does to one image, in words.

    Args:
        params: What was drawn.
        position: Of the image.
    """
    parts = ["mirrored"] if bool(params.flips[position]) else []
    layers = zip(params.operations[position].tolist(), params.signs[position].tolist(), strict=True)
    for operation, sign in layers:
        name = OPERATIONS[operation]
        if name != "Identity":
            parts.append(f"{name} {'−' if sign < 0 else '+'}" if name in SIGNED else name)
    return ", ".join(parts) if parts else "left as it is"


def _draw_many(method: MixingMethod, num_images: int, draws: int, seed: int) -> MixParams:
    generator = torch.Generator().manual_seed(seed)
    anchors = torch.randint(num_images, (draws,), generator=generator)
    return method.make_params(anchors, num_images, generator)


def _sources(params: MixParams, position: int) -> list[int]:
    sources: list[int] = params.sources[position, : int(params.counts[position])].tolist()
    return sources


def _to_jpeg(pixels: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
