"""The engine of a full run on a processor, over pixels in memory."""

import torch

from logicmix_studio.training.distributed import ProcessGroup
from logicmix_studio.training.ema import WeightAverage
from logicmix_studio.training.feed import DevicePixels
from logicmix_studio.training.loop import Engine
from logicmix_studio.training.optimizer import make_optimizer
from logicmix_studio.training.precision import Precision
from logicmix_studio.training.schedule import make_plan


class Pixels:
    """Stands where the pixel cache does."""

    num_uncached = 1

    def __init__(self, pixels):
        self._pixels = pixels

    def __len__(self):
        return len(self._pixels)

    def rows(self, indices):
        return self._pixels[torch.as_tensor(indices)]


def build_engine(net, pixels, settings, *, has_warmup, seed, micro_batch):
    """Return the engine of a network that trains on uint8 pixels (T, 3, H, W)."""
    device = torch.device("cpu")
    return Engine(
        settings=settings,
        plan=make_plan(settings, len(pixels)),
        model=net,
        net=net,
        optimizer=make_optimizer(net, settings.optimizer.learning_rate, settings.optimizer.weight_decay),
        average=WeightAverage(net, 0.9, has_warmup=has_warmup),
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        precision=Precision(),
        device=device,
        processes=ProcessGroup(),
        pixels=DevicePixels(Pixels(pixels), device),
        cache_rows=torch.arange(len(pixels)),
        normalisation=None,
        seed=seed,
        micro_batch=micro_batch,
    )
