"""Runs as a trainer would leave them on disk, without one."""

from __future__ import annotations

import numpy as np
import psutil

from logicmix_studio.training.run_folder import EventWriter, RunFolder, RunState
from tests.browser.conftest import Served
from tests.workspaces import add_run


def write_events(folder: RunFolder, epochs: int = 8) -> None:
    """Write what a full run would have said."""
    writer = EventWriter(folder.events_file)
    writer.write("start")
    for epoch in range(1, epochs + 1):
        for step in range(5):
            number = (epoch - 1) * 5 + step + 1
            fall = 1.0 / number**0.4
            facts = {"lr": 2e-4 * min(1, number / 10), "images_per_s": 40.0 + step, "memory_mb": 800}
            writer.write("step", step=number, loss_original=fall, loss_mixed=1.4 * fall, **facts)
        writer.write("epoch", epoch=epoch, epochs=epochs, loss_original=fall, loss_mixed=fall, map=1 - fall)
        if epoch > epochs // 3:
            writer.write("pseudo", epoch=epoch, positive=10 * epoch, negative=50 * epoch, changed=5, per_class={})
    writer.close()


def make_live(served: Served, run: int = 2) -> RunFolder:
    """Lay down a run that this very process seems to work on."""
    folder = add_run(served.studio.workspace, served.studio.table, np.asarray(served.studio.states), run=run)
    for file in (folder.result_file, folder.logits_file):
        file.unlink()
    write_progress(folder, 0.4)
    write_events(folder, epochs=3)
    served.studio.registry.refresh()
    return folder


def write_progress(folder: RunFolder, fraction: float) -> None:
    """Let a run say how far it is; the process that works on it is this one."""
    me = psutil.Process()
    folder.write_state(RunState("running", "training, epoch 3 of 8", fraction, 75.0, me.pid, me.create_time()))
