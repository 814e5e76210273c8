"""Environment switches that must be set before FiftyOne, Gradio, timm or torch are imported.

Nothing happens on import: an entry point (command line, trainer, :class:`~logicmix_studio.studio.Studio`) calls
:func:`prepare_environment` first.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

QUIET = {
    "FIFTYONE_DO_NOT_TRACK": "1",
    "FIFTYONE_DATABASE_VALIDATION": "false",
    "FIFTYONE_SHOW_PROGRESS_BARS": "false",
    "FIFTYONE_SINGLETON_CACHE": "false",
    "FIFTYONE_DEFAULT_APP_ADDRESS": "127.0.0.1",
    "FIFTYONE_LOGGING_LEVEL": "WARNING",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""No telemetry and no FiftyOne service of its own; a user's own setting of the same name is replaced on purpose."""

OFFLINE_DEFAULT = "1"
"""``HF_HUB_OFFLINE`` unless the user set it: the studio never reaches for a hub by itself."""


def prepare_environment(
    environ: MutableMapping[str, str] | None = None, *, database_uri: str | None = None, gradio_temp: Path | None = None
) -> None:
    """Set every switch the studio relies on, in ``os.environ`` unless told otherwise.

    Processes that import FiftyOne need to know where mongod listens; Gradio's cache folder lies below the workspace.
    """
    target = os.environ if environ is None else environ
    target.update(QUIET)
    target.setdefault("HF_HUB_OFFLINE", OFFLINE_DEFAULT)
    target.setdefault("FIFTYONE_PLUGINS_DIR", str(plugins_folder()))
    if database_uri is not None:
        target["FIFTYONE_DATABASE_URI"] = database_uri
    if gradio_temp is not None:
        target["GRADIO_TEMP_DIR"] = str(gradio_temp)


def assets_folder() -> Path:
    """Return the folder of style sheets and scripts, in an installed package or in a checkout."""
    return _shipped("_assets", "assets")


def plugins_folder() -> Path:
    """Return the folder that holds the FiftyOne plugin, in an installed package or in a checkout."""
    return _shipped("_plugins", "plugins")


def _shipped(installed: str, checkout: str) -> Path:
    package = Path(__file__).resolve().parent
    inside = package / installed
    return inside if inside.is_dir() else package.parent / checkout
