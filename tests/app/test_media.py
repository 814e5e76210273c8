from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from logicmix_studio.app.media import media_router, media_url, thumb_url
from logicmix_studio.studio import Studio


def client_of(studio: Studio) -> TestClient:
    app = FastAPI()
    app.include_router(media_router(studio))
    return TestClient(app)


@pytest.fixture
def client(studio: Studio) -> TestClient:
    return client_of(studio)


def test_a_thumbnail_is_a_small_jpeg_kept_for_good_under_its_version(client: TestClient, studio: Studio) -> None:
    answer = client.get(thumb_url(studio, studio.image_ids[0], 64))
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    unchanged = {"if-none-match": answer.headers["etag"]}
    again = client.get(f"/thumb/{studio.image_ids[0]}", params={"s": 64}, headers=unchanged)
    assert again.status_code == 304
    assert "no-cache" in again.headers["cache-control"]


def test_a_broken_picture_is_drawn_as_such(client: TestClient, studio: Studio) -> None:
    studio.image_path(studio.image_ids[0]).write_bytes(b"no image")
    for url in (thumb_url, media_url):
        answer = client.get(url(studio, studio.image_ids[0]))
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "image/svg+xml"


@pytest.mark.timeout(20)
def test_a_pipe_in_a_pictures_place_is_drawn_as_broken(client: TestClient, studio: Studio) -> None:
    path = studio.image_path(studio.image_ids[0])
    path.unlink()
    os.mkfifo(path)
    answer = client.get(media_url(studio, studio.image_ids[0]))
    assert (answer.status_code, answer.headers["x-logicmix-error"]) == (404, "this is a pipe, no file")
    assert studio.images.image(studio.image_ids[0]).size is None


@pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", "part0/image-00000.jpg", "0" * 24])
def test_the_browser_names_ids_only(client: TestClient, name: str) -> None:
    assert client.get(f"/media/{name}").status_code == 404


def test_a_picture_of_one_pixel_is_shown(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=1, side=1, runs=0)
    assert client_of(studio).get(f"/thumb/{studio.image_ids[0]}").status_code == 200


@pytest.mark.slow
def test_a_picture_of_a_hundred_megapixels_is_shown(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=1, paths=["huge.png"], runs=0)
    Image.new("1", (10_000, 10_000), 1).save(studio.image_path(studio.image_ids[0]))
    answer = client_of(studio).get(media_url(studio, studio.image_ids[0]))
    assert answer.status_code == 200
    assert max(Image.open(BytesIO(answer.content)).size) == 1024


def test_the_icon_is_there(client: TestClient) -> None:
    assert client.get("/favicon.ico").headers["content-type"] == "image/svg+xml"
