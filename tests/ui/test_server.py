from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio
from logicmix_studio.ui.page import dress, plain_page
from logicmix_studio.app.server import address, bind
from logicmix_studio.ui.tabs import TAB_NAMES, Tab, tabs
from tests.ui.conftest import page_client


def test_the_server_starts_without_torch_gradio_and_fiftyone() -> None:
    code = (
        "import sys; import logicmix_studio.ui; "
        "print([name for name in ('torch', 'gradio', 'fiftyone', 'timm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_plain_page_holds_all_tabs_and_the_scripts(client: TestClient) -> None:
    page = client.get("/").text
    for name in TAB_NAMES:
        assert f'data-lm-tab="{name}"' in page
        assert f'data-tab-id="{name}"' in page
    assert "/js/main.js" in page


def test_a_data_set_named_like_html_is_shown_as_text(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("<img src=x onerror=alert(1)>")
    page = page_client(studio).get("/").text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_an_unknown_path_is_said_to_be_missing(client: TestClient) -> None:
    answer = client.get("/nothing-here")
    assert answer.status_code == 404
    assert answer.json()["error"] == "there is nothing at /nothing-here"


def test_a_mistake_is_answered_with_what_and_what_to_do(client: TestClient) -> None:
    answer = client.get("/api/cells/image/ffffffffffffffffffffffff")
    assert answer.status_code == 400
    assert "there is no image" in answer.json()["error"]
    assert answer.json()["hint"]


def test_a_malformed_request_is_named(client: TestClient) -> None:
    answer = client.post("/api/cells/decide", json={"id": "12345678", "origin": "browse", "cells": "none"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("cells")


def test_dress__adds_our_head_and_drops_everything_that_names_another_host() -> None:
    given = (
        "<html><head><link rel='preconnect' href='https://fonts.example/'>"
        '<script src="https://cdn.example/x.js" async></script><link rel="stylesheet" href="./a.css">'
        '<meta property="og:url" content="https://gradio.app/" /></head><body></body></html>'
    )
    page = dress(given, "<meta name='ours'>")
    assert "https://" not in page
    assert "./a.css" in page
    assert "<meta name='ours'></head>" in page


def test_plain_page__shows_the_first_tab_only() -> None:
    made = plain_page(head_html="", dataset="d", tabs=[Tab("a", "A", "<i></i>"), Tab("b", "B", "<u></u>")])
    assert made.count('aria-selected="true"') == 1
    assert made.count(" hidden>") == 1


def test_tabs__have_a_root_each() -> None:
    for tab in tabs():
        assert f'data-lm-tab="{tab.name}"' in tab.html


def test_bind__makes_sockets_that_send_small_packets_at_once() -> None:
    async def accepted_option() -> int:
        answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            answered.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with bind("127.0.0.1", 0) as listener:
            server = await asyncio.start_server(greet, sock=listener)
            async with server:
                _, writer = await asyncio.open_connection(*listener.getsockname())
                option = await answered
                writer.close()
                return option

    with ThreadPoolExecutor(1) as pool:  # a browser of other tests may hold this thread's event loop
        assert pool.submit(asyncio.run, accepted_option()).result(timeout=10) != 0


def test_bind__takes_the_next_free_port_only_when_asked() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StudioError, match=f"port {port}"):
            bind("127.0.0.1", port)
        with bind("127.0.0.1", port, tries=20) as found:
            assert port < found.getsockname()[1] < port + 20


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", "http://127.0.0.1:80/"), ("0.0.0.0", "http://127.0.0.1:80/"), ("::1", "http://[::1]:80/")],
)
def test_address(host: str, expected: str) -> None:
    assert address(host, 80) == expected


class TestMedia:
    def test_a_thumbnail_is_a_small_jpeg_kept_for_good_under_its_version(
        self, client: TestClient, studio: Studio
    ) -> None:
        version = client.get("/api/session").json()["version"]
        answer = client.get(f"/thumb/{studio.image_ids[0]}", params={"s": 64, "v": version})
        assert answer.headers["content-type"] == "image/jpeg"
        assert "immutable" in answer.headers["cache-control"]
        again = client.get(
            f"/thumb/{studio.image_ids[0]}",
            params={"s": 64},
            headers={"if-none-match": answer.headers["etag"]},
        )
        assert again.status_code == 304
        assert "no-cache" in again.headers["cache-control"]

    def test_a_broken_picture_is_drawn_as_such(self, client: TestClient, studio: Studio) -> None:
        studio.image_path(studio.image_ids[0]).write_bytes(b"no image")
        for path in ("thumb", "media"):
            answer = client.get(f"/{path}/{studio.image_ids[0]}")
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "image/svg+xml"

    @pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", "part0/image-00000.jpg", "0" * 24])
    def test_the_browser_names_ids_only(self, client: TestClient, name: str) -> None:
        assert client.get(f"/media/{name}").status_code in (400, 404)


class TestAssets:
    def test_a_script_is_kept_for_good_under_the_current_version(self, client: TestClient) -> None:
        page = client.get("/").text
        start = page.index("/assets/lm-")
        version = page[start : page.index("/", start + 8)]
        answer = client.get(f"{version}/js/main.js")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert "immutable" in answer.headers["cache-control"]
        assert "no-cache" in client.get("/assets/lm-old/js/main.js").headers["cache-control"]

    @pytest.mark.parametrize(
        "path", ["js/..%2f..%2fpyproject.toml", "js/nothing.js", "secret/main.js", "js/%2e%2e"]
    )
    def test_nothing_else_is_handed_out(self, client: TestClient, path: str) -> None:
        assert client.get(f"/assets/{path}").status_code == 404

    def test_every_asset_is_free_of_other_hosts(self) -> None:
        from logicmix_studio.environment import assets_folder

        files = [path for path in assets_folder().glob("*/*") if path.suffix in (".js", ".css")]
        assert files
        for path in files:
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
            assert "https://" not in text, path
            assert "http://" not in text.replace("http://127.0.0.1", ""), path


class TestSession:
    def test_says_who_and_what(self, client: TestClient, studio: Studio) -> None:
        session = client.get("/api/session").json()
        assert session["class_names"] == list(studio.class_names)
        assert session["num_images"] == 24
        assert session["pulse"]["current_run"] == 1
        assert session["trial"] is False

    def test_the_pulse_moves_with_a_decision(self, client: TestClient, studio: Studio) -> None:
        before = client.get("/api/session/pulse").json()["seq"]
        studio.decide(studio.image_ids[0], "circle", 1)
        assert client.get("/api/session/pulse").json()["seq"] == before + 1

    def test_settings_that_have_their_own_routes_are_left_alone(
        self, client: TestClient, studio: Studio
    ) -> None:
        changes = {"goal": 0.4, "chosen_run": 99, "thresholds": {"x": 1}}
        answer = client.post("/api/session/settings", json={"changes": changes})
        assert answer.json()["settings"] == {"goal": 0.4}


def test_serve__refuses_a_port_in_use(studio: Studio, tmp_path: Path) -> None:
    from logicmix_studio.ui import serve

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StudioError, match="cannot listen"):
            serve(studio, port=taken.getsockname()[1], any_port=False)


def test_a_picture_of_one_pixel_is_shown(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=1, side=1, runs=0)
    client = page_client(studio)
    assert client.get(f"/thumb/{studio.image_ids[0]}").status_code == 200
    assert client.get(f"/api/cells/image/{studio.image_ids[0]}").json()["width"] == 1


@pytest.mark.slow
def test_a_picture_of_a_hundred_megapixels_is_shown(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=1, paths=["huge.png"], runs=0)
    Image.new("1", (10_000, 10_000), 1).save(studio.image_path(studio.image_ids[0]))
    client = page_client(studio)
    answer = client.get(f"/media/{studio.image_ids[0]}")
    assert answer.status_code == 200
    assert max(Image.open(BytesIO(answer.content)).size) == 1024
    assert client.get(f"/api/cells/image/{studio.image_ids[0]}").json()["width"] == 10_000
