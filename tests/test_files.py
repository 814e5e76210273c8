import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json, replacing, take_lock, write_json

HOLDER = """
import sys
from pathlib import Path
from logicmix_studio.files import take_lock
lock = take_lock(Path(sys.argv[1]))
print(lock is not None, flush=True)
sys.stdin.read()
"""


def test_replacing__leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half() -> None:
        with replacing(path) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("is_durable", "times"), [(True, 1), (False, 0)])
def test_replacing__waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_durable: bool, times: int
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    with replacing(tmp_path / "new" / "file", is_durable=is_durable, new_folders=1) as file:
        file.write(b"four")
    assert sizes == [4] * times
    assert (tmp_path / "new" / "file").read_bytes() == b"four"


def test_replacing__makes_no_more_folders_than_it_may(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"cannot write .*: No such file"), replacing(tmp_path / "a" / "file"):
        pass
    with pytest.raises(StudioError), replacing(tmp_path / "a" / "b" / "file", new_folders=1):
        pass
    assert list(tmp_path.iterdir()) == []


def test_replacing__mode(tmp_path: Path) -> None:
    with replacing(tmp_path / "secret", 0o600):
        pass
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_json__comes_back_plain(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    content = {"a": np.array([1, 2]), "b": np.float32(0.5), "c": float("nan"), "d": (np.inf, "ü"), 3: None}
    write_json(path, content)
    assert read_json(path) == {"a": [1, 2], "b": 0.5, "c": None, "d": [None, "ü"], "3": None}


def test_json__a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n"a": }', r"x\.json:2: not valid JSON"),
        (b"\xff\xfe", r"x\.json: not valid JSON"),
        (b"[]", r"x\.json: expected a JSON object, got list"),
    ],
)
def test_json__broken_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(StudioError, match=message):
        read_json(tmp_path / "x.json")


def test_lock__one_holder_and_any_thread_may_give_it_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = take_lock(path)
    assert first is not None
    assert take_lock(path) is None
    thread = threading.Thread(target=first.release)
    thread.start()
    thread.join()
    second = take_lock(path)
    assert second is not None
    second.release()


def test_lock__the_kernel_frees_it_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "True"
    assert take_lock(path) is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    lock = take_lock(path)
    assert lock is not None
    lock.release()


def test_lock__a_child_process_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = take_lock(path)
    assert lock is not None
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    lock.release()
    again = take_lock(path)
    child.communicate()
    assert again is not None
    again.release()
