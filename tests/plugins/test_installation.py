"""The plugin stands beside the user's own, and FiftyOne can install it by itself."""

import functools
import http.server
import json
import shutil
import threading
from pathlib import Path

import pytest

from logicmix_studio.environment import plugins_folder, prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.store.fiftyone.dataset_sync import AppServer
from tests.ports import reserved_port

OURS, THEIRS = "@logicmix/studio", "@ada/notes"


@pytest.fixture
def found(fiftyone, monkeypatch):
    """The names of all plugins, where a program's switches say that they are."""
    import fiftyone.plugins as fop

    def find(folder: Path | str) -> set[str]:
        monkeypatch.setattr(fiftyone.config, "plugins_dir", str(folder))
        return {plugin.name for plugin in fop.list_plugins()}

    return find


def write_plugin(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "fiftyone.yml").write_text(f'name: "{THEIRS}"\n', encoding="utf-8")
    (folder / "__init__.py").write_text("def register(plugin):\n    pass\n", encoding="utf-8")


@pytest.mark.parametrize("where", ["variable", "data sets", "config file", "default"])
def test_the_plugin_stands_beside_the_users_own(found, tmp_path, where, monkeypatch):
    home, own = tmp_path / "home", tmp_path / "own"
    monkeypatch.setenv("HOME", str(home))
    folder = {"data sets": own / "__plugins__", "default": home / "fiftyone" / "__plugins__"}.get(where, own)
    write_plugin(folder / "notes")
    environ = {"variable": {"FIFTYONE_PLUGINS_DIR": str(own)}, "data sets": {"FIFTYONE_DEFAULT_DATASET_DIR": str(own)}}
    switches = environ.get(where, {})
    if where == "config file":
        (home / ".fiftyone").mkdir(parents=True)
        (home / ".fiftyone" / "config.json").write_text(json.dumps({"plugins_dir": str(own)}), encoding="utf-8")
    links = tmp_path / ".logicmix" / "plugins"
    for _ in range(2):  # a second studio in the same process finds everything as it is
        prepare_environment(switches, plugins=links)
        assert switches["FIFTYONE_PLUGINS_DIR"] == str(links)
        assert found(links) == {OURS, THEIRS}
    prepare_environment(switches, plugins=tmp_path / "another")
    assert switches["FIFTYONE_PLUGINS_DIR"] == str(links)
    assert list(folder.iterdir()) == [folder / "notes"]


def test_it_is_downloaded_by_fiftyone_and_then_left_to_it(found, tmp_path):
    import fiftyone.plugins as fop

    shutil.make_archive(str(tmp_path / "main"), "zip", plugins_folder().parent, plugins_folder().name)
    own = tmp_path / "own"
    own.mkdir()
    assert found(own) == set()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        downloaded = fop.download_plugin(f"http://127.0.0.1:{server.server_port}/main.zip")
        server.shutdown()
    assert downloaded == {OURS: str(own / "@logicmix" / "studio")}
    assert found(own) == {OURS}
    switches = {"FIFTYONE_PLUGINS_DIR": str(own)}
    prepare_environment(switches, plugins=tmp_path / "links")
    assert switches == switches | {"FIFTYONE_PLUGINS_DIR": str(own)}
    assert not (tmp_path / "links").exists()


def test_the_apps_port_must_be_free():
    with reserved_port() as taken:
        taken.listen()
        with pytest.raises(StudioError, match=f"port {taken.getsockname()[1]}: another program"):
            AppServer("mongodb://127.0.0.1:1", "fiftyone", taken.getsockname()[1])
