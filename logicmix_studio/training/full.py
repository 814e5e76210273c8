"""The recipes that train the whole network: 2WayAug-PL.

"LogicMix: Sample mixing data augmentation for multi-label image classification with partial labels",
Pattern Recognition 171 (2026), 112186; preprint https://arxiv.org/abs/2405.15860.
"""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import Tensor, nn

from logicmix_studio.errors import StudioError
from logicmix_studio.training.backbone import normalisation_of, prepare_images, save_net
from logicmix_studio.training.calibrate import fit_calibration
from logicmix_studio.training.checkpoint import (
    Checkpoint,
    Position,
    load_checkpoint,
    restore_checkpoint,
    save_checkpoint,
    take_checkpoint,
)
from logicmix_studio.training.config import FullSettings, RunConfig
from logicmix_studio.training.control import Stopped
from logicmix_studio.training.data import TrainingData, load_data
from logicmix_studio.training.device import micro_batch, scoring_batch
from logicmix_studio.training.distributed import ProcessGroup
from logicmix_studio.training.ema import WeightAverage
from logicmix_studio.training.feed import DevicePixels
from logicmix_studio.training.head import tune_head
from logicmix_studio.training.heldout import trained_states
from logicmix_studio.training.loop import Engine, LossMeter, memory_mb
from logicmix_studio.training.metrics import Metrics, difference, measure
from logicmix_studio.training.optimizer import backbone_share, make_optimizer
from logicmix_studio.training.outcome import Outcome, write_outcome
from logicmix_studio.training.precision import Precision, choose_precision
from logicmix_studio.training.pseudo_labels import count_pseudo, pseudo_states
from logicmix_studio.training.quick import embed_snapshot, prepare_net, train_on_features
from logicmix_studio.training.run_context import RunContext
from logicmix_studio.training.run_folder import Snapshot, save_array
from logicmix_studio.training.schedule import make_plan
from logicmix_studio.training.scoring import Scored, score_images
from logicmix_studio.training.selection import is_over, judge_epoch

_PREPARED, _WARM, _TRAINED = 0.05, 0.1, 0.97
_STEP_EVENT_EVERY_S = 1.0
_TRIAL_IMAGES = 8


def run_full(config: RunConfig, snapshot: Snapshot, context: RunContext, processes: ProcessGroup) -> dict[str, Any]:
    """Train, or go on training, and write all files of the run.

    Returns:
        The content of ``result.json``.

    Raises:
        StudioError: If there is nothing to learn from, or images, weights or memory are missing.
        Stopped: If somebody asked for it; a checkpoint has been written.
    """

    def prepare() -> FullRun:
        run = FullRun(config, load_data(config, snapshot, context, until=_PREPARED), context, processes)
        run.prepare_net()
        return run

    run = processes.in_turn(prepare)
    run.prepare_engine()
    try:
        run.train()
        return run.finish()
    finally:
        run.engine.feed.close()


class FullRun:
    """The state of a full run between its epochs."""

    def __init__(self, config: RunConfig, data: TrainingData, context: RunContext, processes: ProcessGroup) -> None:
        assert isinstance(config.settings, FullSettings)
        self.config, self.settings = config, config.settings
        self.data, self.context, self.processes = data, context, processes
        self.plan = make_plan(self.settings, len(data.rows))
        self.pseudo: NDArray[np.int8] = np.zeros_like(data.known)
        self.best: dict[str, Tensor] = {}
        """Averaged weights of the best epoch so far."""
        self.logits: dict[str, NDArray[np.float32]] = {}
        """Of the images with held-out cells, in the best epoch so far and in the last one."""
        optimizer = self.settings.optimizer
        self.position = Position(micro_batch=micro_batch(optimizer.micro_batch, optimizer.batch_size, context.device))
        self._resumed: Checkpoint | None = None
        self._began = time.monotonic()
        self._saved = time.monotonic()

    def prepare_net(self) -> None:
        """Make the network; where the run begins the first process trains its head, which the engine shares out."""
        context, settings = self.context, self.settings
        self._resumed = self._checkpoint()
        self.net = prepare_net(self.config, self.data.snapshot, context)
        is_fresh = self._resumed is None and self.config.init_from is None
        if is_fresh and settings.warm.should_train_head_first and self.processes.is_first:
            self._train_head_first()

    def prepare_engine(self) -> None:
        """Make all that trains the network, as it was at the checkpoint if there is one."""
        context, settings, checkpoint = self.context, self.settings, self._resumed
        if self.processes.size > 1 and context.device.type == "cuda":
            self.net = nn.SyncBatchNorm.convert_sync_batchnorm(self.net)  # type: ignore[no-untyped-call]
        self.normalisation = normalisation_of(settings.backbone)
        self.pixels = DevicePixels(self.data.cache, context.device)
        precision = self._precision(checkpoint)
        optimizer = make_optimizer(
            self.net,
            settings.optimizer.learning_rate,
            settings.optimizer.weight_decay,
            backbone_share(settings.optimizer.backbone_share, int((self.data.known > 0).sum())),
        )
        model = self.processes.wrap(self.net, context.device)  # all take over the first one's weights
        average = WeightAverage(self.net, settings.ema.decay, settings.ema.has_warmup)
        scaler = torch.amp.GradScaler(context.device.type, enabled=precision.needs_scaler)
        is_trained = settings.backbone.weights == "pretrained" or self.config.init_from is not None
        self.engine = Engine(
            settings=settings,
            plan=self.plan,
            model=model,
            net=self.net,
            optimizer=optimizer,
            average=average,
            scaler=scaler,
            precision=precision,
            device=context.device,
            processes=self.processes,
            pixels=self.pixels,
            cache_rows=torch.from_numpy(self.data.rows),
            normalisation=self.normalisation,
            seed=self.config.seed,
            micro_batch=self.position.micro_batch,
            keeps_statistics=settings.warm.should_keep_statistics and is_trained,
        )
        if checkpoint is not None:
            self.pseudo = restore_checkpoint(checkpoint, self.engine)
            best = checkpoint.groups.get("best", {})
            self.best = {name: tensor.to(context.device) for name, tensor in best.items()}
            self.logits = {name: tensor.numpy() for name, tensor in checkpoint.groups.get("logits", {}).items()}
            if "best" not in self.logits:  # earlier versions kept none: the best is looked for from here on
                self.best = {}
                self.position = dataclasses.replace(self.position, best_value=None, best_epoch=0, epochs_without_gain=0)
            context.reporter.message(f"going on after epoch {self.position.epoch}, step {self.position.step}")
        self.position = dataclasses.replace(self.position, precision=precision.name)
        if settings.compute.has_graphs:
            try:
                self.engine.record()
            except RuntimeError as error:
                why = str(error).splitlines()[0]
                context.reporter.message(f"the network can't be recorded and is called step by step: {why}")

    def train(self) -> None:
        """Train epoch by epoch, from where the run stands to its end."""
        reporter, plan = self.context.reporter, self.plan
        reporter.stage("training", _WARM, _TRAINED)
        reporter.message(
            f"{len(self.data.rows):,} training images, {plan.epochs} epochs of {plan.steps_per_epoch} steps, "
            f"{self.engine.precision.name}, pseudo-labels from epoch {plan.first_pseudo_epoch or 'never'}"
            + (f", {self.engine.processes.size} processes" if self.engine.processes.size > 1 else "")
        )
        while self.position.epoch < plan.epochs and not self._should_stop_early():
            meter = self._train_epoch(self.position.epoch)
            self._end_epoch(meter)
        self._save()  # what is left is scoring all images: a kill there costs no training

    def finish(self) -> dict[str, Any]:
        """Score all images with the best averaged weights and write all files."""
        context, data = self.context, self.data
        context.reporter.stage("scoring all images", _TRAINED, 1.0)
        is_earlier = self._keeps_earlier()
        if is_earlier:
            self.engine.average.load(self.best)
        everything = np.flatnonzero(data.is_readable)
        scored = self._score(everything, has_features=True)
        num_images, num_classes = data.snapshot.states.shape
        logits = np.full((num_images, num_classes), np.nan, dtype=np.float32)
        logits[everything] = scored.logits
        features = np.zeros((num_images, scored.features.shape[1]), dtype=np.float16)
        features[everything] = scored.features
        facts = {
            "recipe": self.config.recipe,
            "epochs": self.position.epoch,
            "best_epoch": self.position.best_epoch if is_earlier else self.position.epoch,
            "seconds": round(self._seconds(), 2),
            "device": str(context.device),
            "precision": self.engine.precision.name,
            "micro_batch": self.engine.micro_batch,
            "num_pseudo": [int((self.pseudo > 0).sum()), int((self.pseudo < 0).sum())],
        }
        if not self.processes.is_first:
            return {}
        if self.settings.finetune.is_enabled:
            facts["tuned_classes"] = self._tune_head(features, logits)
        # Cells that chose the epoch, or a class's weights, would praise them.
        checked = data.checked - data.choosing if is_earlier or facts.get("tuned_classes") else data.checked
        save_net(context.folder.model_file, self.engine.average.state, self.settings.backbone, self.config.class_names)
        outcome = Outcome(logits, features, data.heldout, checked, fit_calibration(logits, checked), facts)
        return write_outcome(context.folder, data.snapshot, outcome)

    def _tune_head(self, features: NDArray[np.float16], logits: NDArray[np.float32]) -> list[str]:
        """Tune the averaged weights of the last layer class by class; return the classes that have other logits now."""
        data, context = self.data, self.context
        context.reporter.stage("tuning the last layer class by class", _TRAINED, 1.0)
        head = [self.engine.average.state[f"head.{name}"] for name in ("weight", "bias")]
        states = np.zeros_like(data.snapshot.states)
        states[data.rows] = trained_states(data.snapshot.states[data.rows], data.heldout[data.rows])
        rate, start = self.settings.finetune.learning_rate, (head[0].float().cpu(), head[1].float().cpu())
        settings = dataclasses.replace(self.settings.head, learning_rate=rate, weight_decay=0.0)
        weight, bias, is_tuned = tune_head(
            features, states, data.choosing, start, settings, self.config.seed, context.control.check
        )
        for own, tuned in zip(head, (weight, bias), strict=True):
            own[is_tuned] = tuned[is_tuned].to(own)
        found = torch.nn.functional.linear(torch.from_numpy(features).float(), weight, bias).numpy()
        logits[:, is_tuned] = np.where(data.is_readable[:, None], found, np.nan)[:, is_tuned]
        return [name for name, is_other in zip(self.config.class_names, is_tuned, strict=True) if is_other]

    def _train_head_first(self) -> None:
        context, data = self.context, self.data
        features = embed_snapshot(self.config, data.snapshot, self.net, context, until=_WARM * 0.9)
        context.reporter.stage("training the head first", _WARM * 0.9, _WARM)
        fit, _ = train_on_features(
            data.snapshot, features, data.heldout, self.settings.head, self.config.seed, context, is_told=False
        )
        with torch.no_grad():
            self.net.head.weight.copy_(fit.weight)
            self.net.head.bias.copy_(fit.bias)

    def _precision(self, checkpoint: Checkpoint | None) -> Precision:
        name = self.settings.compute.precision
        if checkpoint is not None and checkpoint.position.precision:
            name = checkpoint.position.precision

        def example() -> Tensor:
            rows = self.data.rows[:_TRIAL_IMAGES]
            return prepare_images(self.data.cache.rows(rows), self.normalisation)

        if self.processes.size > 1 and self.context.device.type == "cpu" and name == "auto":
            name = "float32"  # trials on busy cores could end differently in each process
        return choose_precision(name, self.net, self.context.device, example)

    def _train_epoch(self, epoch: int) -> LossMeter:
        reporter, plan = self.context.reporter, self.plan
        self.engine.to_training()
        states = self.data.working_states(self.pseudo)
        total = LossMeter(self.context.device)
        since, meter = time.monotonic(), LossMeter(self.context.device)
        for step in range(self.position.step, plan.steps_per_epoch):
            self._leave_if_asked()
            rate = self.engine.train_step(states, epoch, step, meter)
            self.position = dataclasses.replace(self.position, step=step + 1)
            self._tell_halvings()
            done = epoch * plan.steps_per_epoch + step + 1
            reporter.progress(done, plan.total_steps, f"training, epoch {epoch + 1} of {plan.epochs}")
            seconds = time.monotonic() - since
            if seconds >= _STEP_EVENT_EVERY_S or step + 1 == plan.steps_per_epoch:
                self._tell_step(done, rate, meter, seconds)
                _merge(total, meter)
                since, meter = time.monotonic(), LossMeter(self.context.device)
            self._save_now_and_then()
        return total

    def _end_epoch(self, meter: LossMeter) -> None:
        """Evaluate the averaged model, renew the pseudo-labels, remember the best, write a checkpoint."""
        data, epoch = self.data, self.position.epoch + 1
        has_pseudo = 0 < self.plan.first_pseudo_epoch <= epoch
        self.processes.share(self.engine.average.state)
        checked = data.checked_rows
        can_be_filled = data.rows[(data.known == 0).any(axis=1)]
        rows = np.union1d(checked, can_be_filled) if has_pseudo else checked
        logits = np.full(data.snapshot.states.shape, np.nan, dtype=np.float32)
        logits[rows] = self._score(rows).logits
        scores = expit(logits[checked].astype(np.float64))
        metrics = measure(scores, data.checked[checked])
        original, mixed = meter.means()
        self.context.reporter.event(
            "epoch",
            epoch=epoch,
            epochs=self.plan.epochs,
            loss_original=original,
            loss_mixed=mixed,
            map=metrics.map,
            ap=dict(zip(self.config.class_names, metrics.average_precision.tolist(), strict=True)),
            of1=metrics.overall_f1,
            cf1=metrics.class_f1,
            ece=metrics.calibration_error,
        )
        if has_pseudo:
            self._renew_pseudo(logits, epoch)
        self._remember(epoch, measure(scores, data.choosing[checked]), logits[checked])
        self.position = dataclasses.replace(self.position, epoch=epoch, step=0)
        self._save_now_and_then()

    def _renew_pseudo(self, logits: NDArray[np.float32], epoch: int) -> None:
        settings, before = self.settings.pseudo, self.pseudo
        mine, bounds = logits[self.data.rows], (settings.positive_logit, settings.negative_logit)
        if settings.rule == "calibrated":
            mine = fit_calibration(logits, self.data.checked).logits(mine).astype(np.float32)
            bounds = (float(logit(settings.confidence)), -float(logit(settings.confidence)))
        self.pseudo = pseudo_states(mine, self.data.known, *bounds)
        self.context.reporter.event("pseudo", **count_pseudo(self.pseudo, before, self.config.class_names))
        if settings.should_keep_each and self.processes.is_first:
            everywhere = np.zeros_like(self.data.snapshot.states)
            everywhere[self.data.rows] = self.pseudo
            save_array(self.context.folder.pseudo_file(epoch), everywhere, new_folders=1)

    def _remember(self, epoch: int, metrics: Metrics, logits: NDArray[np.float32]) -> None:
        selection, settled = self.settings.selection, self.plan.settled_epoch
        self.position, is_best = judge_epoch(self.position, epoch, metrics, selection, settled)
        self.logits["last"] = logits
        if is_best:
            self.logits["best"] = logits.copy()
            self.best = {name: tensor.clone() for name, tensor in self.engine.average.state.items()}

    def _should_stop_early(self) -> bool:
        stops = is_over(self.position, self.settings.selection) and self._keeps_earlier()
        if stops:
            self.context.reporter.message(
                f"no better for {self.settings.selection.patience} epochs: ending after epoch {self.position.epoch}"
            )
        return stops

    def _keeps_earlier(self) -> bool:
        """Return whether the best epoch is kept and not the last one."""
        if self.position.best_epoch >= self.position.epoch or not self.best:
            return False
        if self.settings.selection.keeps == "best":
            return True
        states = self.data.choosing[self.data.checked_rows]
        return difference(self.logits["best"], self.logits["last"], states).verdict > 0

    def _score(self, rows: NDArray[np.int64], *, has_features: bool = False) -> Scored:
        """Score images with the averaged weights; each process takes its share of the rows."""
        size = scoring_batch(self.settings.compute.scoring_batch, self.context.device)
        everywhere = len(rows) // self.processes.size  # images that each process has at least

        def progress(done: int, total: int) -> None:
            if done <= math.ceil(everywhere / size) * size:  # a batch that every process has
                self.processes.agree(self.context.control.want())

        mine = self.processes.rows(len(rows))
        try:
            with self.engine.average.applied(self.net):
                scored = score_images(
                    self.net,
                    self.pixels,
                    rows[mine],
                    precision=self.engine.precision,
                    normalisation=self.normalisation,
                    batch_size=size,
                    has_features=has_features,
                    progress=progress,
                )
        except Stopped:
            # Only here has the network its own weights again, which the checkpoint is to hold.
            self._save()
            raise
        if self.processes.size == 1:
            return scored
        return Scored(self._joined(scored.logits, mine, len(rows)), self._joined(scored.features, mine, len(rows)))

    def _joined(self, values: NDArray[Any], mine: NDArray[np.int64], count: int) -> NDArray[Any]:
        whole = np.zeros((count, values.shape[1]), dtype=np.float32)
        whole[mine] = values
        return self.processes.join(whole, self.context.device).astype(values.dtype)

    def _leave_if_asked(self) -> None:
        try:
            self.processes.agree(self.context.control.want())
        except Stopped:
            self._save()
            raise

    def _tell_step(self, done: int, rate: float, meter: LossMeter, seconds: float) -> None:
        original, mixed = meter.means()
        if any(value is not None and not math.isfinite(value) for value in (original, mixed)):
            raise StudioError(
                "the loss is no number any more", "Lower optimizer.learning_rate, or use precision float32."
            )
        self.context.reporter.event(
            "step",
            step=done,
            steps=self.plan.total_steps,
            loss_original=original,
            loss_mixed=mixed,
            lr=rate,
            images_per_s=round(meter.images * self.processes.size / max(seconds, 1e-9), 2),
            wait_share=round(self.engine.feed.take_wait() / max(seconds, 1e-9), 4),
            memory_mb=memory_mb(self.context.device),
        )

    def _tell_halvings(self) -> None:
        for fewer in self.engine.halvings:
            self.context.reporter.message(
                f"memory ran out: going on with {fewer} images at once, the batch stays as it is", "warning"
            )
        self.engine.halvings.clear()

    def _save_now_and_then(self) -> None:
        if time.monotonic() - self._saved >= self.settings.compute.checkpoint_seconds:
            self._save()

    def _save(self) -> None:
        self._saved = time.monotonic()
        if not self.processes.is_first:
            return
        position = dataclasses.replace(
            self.position, seconds=self._seconds(), fingerprint=self.data.fingerprint(self.settings)
        )
        logits = {name: torch.from_numpy(values) for name, values in self.logits.items()}
        checkpoint = take_checkpoint(self.engine, self.pseudo, {"best": self.best, "logits": logits}, position)
        save_checkpoint(self.context.folder.checkpoint_file, checkpoint)

    def _checkpoint(self) -> Checkpoint | None:
        checkpoint = load_checkpoint(self.context.folder.checkpoint_file)
        if checkpoint is None:
            return None
        if checkpoint.position.fingerprint != self.data.fingerprint(self.settings):
            self.context.reporter.message(
                "the images or the settings have changed since the checkpoint: training from the start", "warning"
            )
            return None
        self.position = checkpoint.position
        return checkpoint

    def _seconds(self) -> float:
        return self.position.seconds + time.monotonic() - self._began


def _merge(total: LossMeter, part: LossMeter) -> None:
    total.sums += part.sums
    total.counts = [first + second for first, second in zip(total.counts, part.counts, strict=True)]
