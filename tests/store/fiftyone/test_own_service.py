"""Where no address of a database is named, FiftyOne's own service is joined, or started by FiftyOne itself."""

import psutil
import pytest

from logicmix_studio.adopting import adopt_dataset
from logicmix_studio.errors import StudioError
from logicmix_studio.store.fiftyone import own_service
from logicmix_studio.store.fiftyone.adopt import Adoption
from logicmix_studio.store.fiftyone.sync_worker import connect

NOTHING = Adoption("no such data set", "boxes")


@pytest.fixture(autouse=True)
def unnamed(tmp_path, monkeypatch):
    monkeypatch.delenv("FIFTYONE_DATABASE_URI", raising=False)
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "none.json"))
    monkeypatch.setenv("FIFTYONE_DATABASE_DIR", str(tmp_path / "db"))
    own_service.join_service.cache_clear()
    yield
    own_service.join_service.cache_clear()


@pytest.mark.slow
def test_fiftyones_service_is_asked_and_ends_with_its_last_client():
    with pytest.raises(StudioError, match="FiftyOne has no data set 'no such data set'"):
        adopt_dataset(NOTHING)
    client, uri = own_service.join_service()
    with connect(uri) as database:
        assert database.admin.command("ping")["ok"]
    started = psutil.Process(client.pid).children(recursive=True)
    client.stdin.close()
    assert client.wait(60) == 0
    assert psutil.wait_procs(started, timeout=60)[1] == []
    client.stdout.close()


def test_what_fiftyone_says_against_it_is_told(monkeypatch):
    monkeypatch.setattr(own_service, "_JOIN", "raise PermissionError('the folder cannot be written to')")
    with pytest.raises(
        StudioError, match=r"(?s)PermissionError: the folder cannot be written to.*FIFTYONE_DATABASE_URI"
    ):
        adopt_dataset(NOTHING)
