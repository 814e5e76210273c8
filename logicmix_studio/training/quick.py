"""Recipe ``quick``: a linear head on cached features of a frozen backbone; no mixing, so not LogicMix."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.training.backbone import MultiLabelNet, create_net, load_into, normalisation_of, save_net
from logicmix_studio.training.calibrate import LossShape, fit_calibration
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.device import scoring_batch
from logicmix_studio.training.feature_cache import Features
from logicmix_studio.training.features import describe_missing, embed_all, look_at_files
from logicmix_studio.training.head import HeadData, HeadFit, fit_head
from logicmix_studio.training.heldout import cell_folds, choose_heldout, training_rows
from logicmix_studio.training.metrics import Metrics
from logicmix_studio.training.outcome import Outcome, write_outcome
from logicmix_studio.training.run_context import RunContext
from logicmix_studio.training.run_folder import RunFolder, Snapshot
from logicmix_studio.training.settings import HeadSettings

NUM_FOLDS = 5
"""Heads beside the first that cross-fit the calibration where held-out cells are few."""

ENOUGH_HELDOUT_POSITIVES = 400
"""With this many held-out positives no cross-fitting is needed."""


def run_quick(config: RunConfig, snapshot: Snapshot, context: RunContext) -> dict[str, Any]:
    """Embed what is new, train the head, write all files of the run.

    Returns:
        The content of ``result.json``.

    Raises:
        StudioError: If there is nothing to learn from, or images or weights are missing.
        Stopped: If somebody asked for it.
    """
    began = time.monotonic()
    settings, reporter = config.settings, context.reporter
    reporter.stage("loading the backbone", 0.0, 0.02)
    net = prepare_net(config, snapshot, context)
    embedding = time.monotonic()
    features = embed_snapshot(config, snapshot, net, context, until=0.8)
    embed_seconds = time.monotonic() - embedding
    heldout = choose_heldout(snapshot, settings.selection.heldout_share)
    reporter.stage("training the head", 0.8, 0.95)
    fit, known = train_on_features(snapshot, features, heldout, settings.head, config.seed, context)
    with torch.no_grad():
        net.head.weight.copy_(fit.weight)
        net.head.bias.copy_(fit.bias)
        values = torch.from_numpy(features.values).float()
        logits = (values @ fit.weight.T + fit.bias).numpy()
    reporter.stage("writing the scores", 0.95, 1.0)
    context.control.check()
    save_net(context.folder.model_file, net.state_dict(), settings.backbone, config.class_names)
    logits[~features.is_readable] = np.nan
    facts = {
        "recipe": config.recipe,
        "epochs": fit.epochs,
        "best_epoch": fit.best_epoch,
        "seconds": round(time.monotonic() - began, 2),
        "num_embedded": features.num_embedded,
        "embed_seconds": round(embed_seconds, 2),
        "device": str(context.device),
        "precision": "float32",
    }
    head = settings.head
    shape = LossShape(head.gamma_positive, head.gamma_negative, head.shift)
    checked = np.where(heldout, known, 0).astype(np.int8)
    calibration = fit_calibration(fit.fair_logits, known, shape)
    return write_outcome(
        context.folder, snapshot, Outcome(logits, features.values, heldout, checked, calibration, facts)
    )


def prepare_net(config: RunConfig, snapshot: Snapshot, context: RunContext) -> MultiLabelNet:
    """Return the network on its device, with an earlier run's weights where the run starts from one.

    Raises:
        StudioError: If weights are missing or do not fit.
    """
    settings = config.settings.backbone
    net = create_net(settings, len(config.class_names), config.seed)
    if config.init_from is not None:
        earlier = RunFolder(context.folder.path.parent / config.init_from)
        new = load_into(net, earlier.model_file, settings, config.class_names)
        context.reporter.message(f"starting from the weights of run {config.init_from}")
        if new:
            context.reporter.message(f"classes that run {config.init_from} did not know: {', '.join(new)}")
    return net.to(context.device).to(memory_format=torch.channels_last)


def embed_snapshot(
    config: RunConfig, snapshot: Snapshot, net: MultiLabelNet, context: RunContext, *, until: float
) -> Features:
    """Return the features of all images of the snapshot, and say which could not be read."""
    files = look_at_files(Path(config.root), snapshot.image_ids.tolist(), snapshot.paths.tolist())
    context.reporter.stage("embedding the images", 0.02, until)

    def progress(done: int, total: int) -> None:
        context.control.check()
        context.reporter.progress(done, total, f"embedding the images, {done:,} of {total:,}")

    features = embed_all(
        net,
        files,
        config.settings.backbone,
        normalisation_of(config.settings.backbone),
        context.cache,
        device=context.device,
        batch_size=scoring_batch(config.settings.compute.scoring_batch, context.device),
        progress=progress,
    )
    missing = describe_missing([file.path for file in files], features.is_readable)
    if missing:
        context.reporter.message(missing, "warning")
    return features


def train_on_features(
    snapshot: Snapshot,
    features: Features,
    heldout: NDArray[np.bool_],
    settings: HeadSettings,
    seed: int,
    context: RunContext,
    *,
    is_told: bool = True,
) -> tuple[HeadFit, NDArray[np.int8]]:
    """Train a head and say how it goes.

    Args:
        snapshot: What may be known.
        features: Of all images.
        heldout: (N, C) cells to leave out.
        settings: Of the head.
        seed: Of the run.
        context: Where it works.
        is_told: Whether the checks are events of the run.

    Returns:
        The head, and the cells (N, C) whose ``fair_logits`` may be calibrated on and reported: they neither trained nor
        chose it; 0 elsewhere.

    Raises:
        StudioError: If no cell is known to learn from.
    """
    usable = np.zeros(len(snapshot.states), dtype=bool)
    usable[training_rows(snapshot)] = True
    usable &= features.is_readable
    states = np.where(usable[:, None] & ~heldout, snapshot.states, 0).astype(np.int8)
    if not states.any():
        raise StudioError("no cell is known to learn from", "Label some cells, then train.")
    checked = np.where(heldout & features.is_readable[:, None], snapshot.states, 0).astype(np.int8)
    num_folds = NUM_FOLDS if (checked > 0).sum() < ENOUGH_HELDOUT_POSITIVES else 0
    names, ids = snapshot.class_names.tolist(), snapshot.image_ids.tolist()
    folds = cell_folds(ids, names, num_folds or 2)
    choosing = np.where(folds == 0, states if num_folds else checked, 0).astype(np.int8)
    known = checked + states if num_folds else checked

    def on_check(epoch: int, epochs: int, loss: float, metrics: Metrics) -> None:
        context.control.check()
        context.reporter.progress(epoch, epochs)
        if not is_told:
            return
        ap = dict(zip(names, metrics.average_precision.tolist(), strict=True))
        context.reporter.event(
            "epoch", epoch=epoch, epochs=epochs, loss_original=loss, loss_mixed=None, map=metrics.map, ap=ap
        )

    data = HeadData(features.values, states, checked, choosing, folds, num_folds)
    return fit_head(data, settings, seed, on_check), known - choosing
