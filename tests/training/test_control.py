import os
import signal

import pytest

from logicmix_studio.training.control import Control, Stopped
from logicmix_studio.training.run_folder import RunFolder


@pytest.fixture
def signals():
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_a_request_on_disk_is_seen(tmp_path):
    folder = RunFolder(tmp_path)
    Control(folder).check()
    folder.ask("pause")

    with pytest.raises(Stopped) as caught:
        Control(folder).check()
    assert caught.value.want == "pause"


def test_the_file_is_not_read_at_every_look(tmp_path, monkeypatch):
    control = Control(RunFolder(tmp_path))
    now = [100.0]
    monkeypatch.setattr("logicmix_studio.training.control.time.monotonic", lambda: now[0])
    assert control.want() is None
    RunFolder(tmp_path).ask("cancel")

    assert control.want() is None
    now[0] += 1
    assert control.want() == "cancel"


def test_sigterm_cancels(tmp_path, signals):
    control = Control(RunFolder(tmp_path))
    control.listen()
    os.kill(os.getpid(), signal.SIGTERM)

    assert control.want() == "cancel"
