from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from logicmix_studio.app.server import address, bind, build_app, serve
from logicmix_studio.environment import assets_folder
from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio


def test_the_page_names_no_other_host(studio: Studio) -> None:
    with TestClient(build_app(studio), base_url="http://127.0.0.1:7860") as client:
        page = client.get("/").text
    assert "<gradio-app" in page
    assert 'href="https://' not in page
    assert 'src="https://' not in page


def test_a_data_set_named_like_html_is_shown_as_text(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("<img src=x onerror=alert(1)>")
    with TestClient(build_app(studio), base_url="http://127.0.0.1:7860") as client:
        assert "<img src=x" not in client.get("/").text


def test_nothing_but_pictures_and_the_app_is_handed_out(studio: Studio) -> None:
    labels = studio.workspace.labels_file
    with TestClient(build_app(studio), base_url="http://127.0.0.1:7860") as client:
        for path in (f"/gradio_api/file={labels}", "/assets/components/page/script.js", f"/file={labels}"):
            assert client.get(path).status_code in (403, 404), path


def test_every_asset_is_free_of_other_hosts() -> None:
    files = [path for path in assets_folder().glob("components/*/*") if path.is_file()]
    assert files
    for path in files:
        assert "https://" not in path.read_text(encoding="utf-8"), path
        assert "http://" not in path.read_text(encoding="utf-8"), path


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
        assert pool.submit(asyncio.run, accepted_option()).result(timeout=60) != 0


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


def test_serve__refuses_a_port_in_use(studio: Studio) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StudioError, match="cannot listen"):
            serve(studio, port=taken.getsockname()[1], any_port=False)
