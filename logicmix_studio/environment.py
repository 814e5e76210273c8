"""Environment switches that must be set before FiftyOne, Gradio, timm or torch are imported.

Nothing happens on import: an entry point (command line, trainer, :class:`~logicmix_studio.studio.Studio`) calls
:func:`prepare_environment` first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from logicmix_studio.files import read_json

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
    environ: MutableMapping[str, str] | None = None,
    *,
    database_uri: str | None = None,
    gradio_temp: Path | None = None,
    plugins: Path | None = None,
) -> None:
    """Set every switch the studio relies on, in ``os.environ`` unless told otherwise.

    Processes that import FiftyOne need to know where mongod listens; Gradio's cache folder lies below the workspace,
    and so does the folder in which FiftyOne is to find the user's own plugins and ours.
    """
    target = os.environ if environ is None else environ
    target.update(QUIET)
    target.setdefault("HF_HUB_OFFLINE", OFFLINE_DEFAULT)
    if database_uri is not None:
        target["FIFTYONE_DATABASE_URI"] = database_uri
    if gradio_temp is not None:
        target["GRADIO_TEMP_DIR"] = str(gradio_temp)
    if plugins is not None:
        _link_plugins(plugins, target)


def assets_folder() -> Path:
    """Return the folder of style sheets and scripts, in an installed package or in a checkout."""
    return _shipped("_assets", "assets")


def plugins_folder() -> Path:
    """Return the folder that holds the FiftyOne plugin, in an installed package or in a checkout."""
    return _shipped("_plugins", "plugins")


def fiftyone_setting(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Return a setting of FiftyOne's as its variable or its settings file has it, without importing it."""
    environ = os.environ if environ is None else environ
    file = environ.get("FIFTYONE_CONFIG_PATH") or "~/.fiftyone/config.json"
    return environ.get(f"FIFTYONE_{name.upper()}") or (read_json(Path(file).expanduser()) or {}).get(name)


def _link_plugins(folder: Path, environ: MutableMapping[str, str]) -> None:
    """Let FiftyOne find our plugin and the user's through links in a folder; nothing to do where ours stands there."""
    own = _own_plugins(environ)
    if any((own / place / "fiftyone.yml").is_file() for place in ("logicmix", "@logicmix/studio")):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in (("logicmix", plugins_folder() / "logicmix"), ("own", own)):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target, target_is_directory=True)
    environ["FIFTYONE_PLUGINS_DIR"] = str(folder)


def _own_plugins(environ: Mapping[str, str]) -> Path:
    """Return the folder in which FiftyOne would look for plugins, as its settings say."""
    datasets = fiftyone_setting("default_dataset_dir", environ) or "~/fiftyone"
    folder = fiftyone_setting("plugins_dir", environ) or Path(datasets) / "__plugins__"
    return Path(folder).expanduser().resolve()


def _shipped(installed: str, checkout: str) -> Path:
    package = Path(__file__).resolve().parent
    inside = package / installed
    return inside if inside.is_dir() else package.parent / checkout
