import subprocess
import sys

import pytest

from logicmix_studio.cli.serving import Serving
from logicmix_studio.errors import StudioError

HEAVY = ("torch", "fiftyone", "gradio", "timm", "sklearn")


def test_a_launch_waits_for_no_heavy_import() -> None:
    program = f"import sys, logicmix_studio.cli.serving; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_empty_host_is_not_every_address() -> None:
    with pytest.raises(StudioError, match="host to listen on is empty"):
        Serving(host=" ")


def test_assistants_need_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StudioError, match=r"(?s)not installed.*logicmix-studio\[mcp\]"):
        Serving(mcp=True)
