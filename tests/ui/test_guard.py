from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from logicmix_studio.studio import Studio
from logicmix_studio.ui import build_app
from tests.ui.conftest import BASE, page_client

SETTINGS = "/api/session/settings"
CHANGE = {"changes": {"goal": 0.9}}


def _anonymous(studio: Studio, **options: object) -> TestClient:
    app = build_app(studio, gradio=False, token="secret", **options)  # type: ignore[arg-type]
    return TestClient(app, base_url=BASE, follow_redirects=False)


def test_a_foreign_host_is_refused_for_every_request(studio: Studio) -> None:
    client = _anonymous(studio)
    for path in ("/", "/api/session", "/assets/js/main.js", "/thumb/" + studio.image_ids[0]):
        assert client.get(path, headers={"host": "evil.example"}).status_code == 421, path


def test_a_change_needs_origin_and_token(studio: Studio) -> None:
    client = _anonymous(studio)
    token = client.get("/api/session").json()["token"]
    refused = [
        {},
        {"x-logicmix-token": token},
        {"origin": BASE},
        {"origin": BASE, "x-logicmix-token": "wrong"},
        {"origin": "http://evil.example", "x-logicmix-token": token},
        {"origin": "null", "x-logicmix-token": token},
    ]
    for headers in refused:
        assert client.post(SETTINGS, json=CHANGE, headers=headers).status_code == 403, headers
    assert "goal" not in studio.settings.all()
    right = {"origin": BASE, "x-logicmix-token": token}
    assert client.post(SETTINGS, json=CHANGE, headers=right).status_code == 200


def test_a_program_needs_its_token_only(studio: Studio) -> None:
    answer = _anonymous(studio).post(SETTINGS, json=CHANGE, headers={"x-logicmix-token": "secret"})
    assert answer.status_code == 200


def test_a_foreign_page_can_link_to_the_studio_but_not_load_from_it(studio: Studio) -> None:
    client = _anonymous(studio)
    foreign = {"sec-fetch-site": "cross-site"}
    assert client.get("/", headers=foreign).status_code == 200
    assert client.get("/api/session", headers=foreign).status_code == 403


def test_answers_carry_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/api/session", "/nothing-here"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "http://" not in headers["content-security-policy"].replace("http://127.0.0.1:*", "").replace(
            "http://localhost:*", ""
        )
        assert headers["x-content-type-options"] == "nosniff"


class TestLogin:
    @pytest.fixture
    def outside(self, studio: Studio) -> TestClient:
        return _anonymous(studio, host="0.0.0.0", password="open sesame")

    def test_nothing_of_the_data_set_is_shown_before(self, outside: TestClient, studio: Studio) -> None:
        for path in (
            "/api/session",
            "/api/overview",
            "/api/browse",
            f"/thumb/{studio.image_ids[0]}",
            "/config",
            "/gradio_api/info",
        ):
            assert outside.get(path).status_code == 401, path
        page = outside.get("/", headers={"accept": "text/html"})
        assert page.status_code == 303
        assert page.headers["location"] == "/login"
        assert studio.name not in outside.get("/login").text

    def test_the_right_password_lets_in_under_a_name(self, outside: TestClient) -> None:
        answer = outside.post(
            "/login", data={"name": "Grace", "password": "open sesame"}, headers={"origin": BASE}
        )
        assert answer.status_code == 303
        cookie = next(
            value for value in answer.headers.get_list("set-cookie") if value.startswith("lm_session")
        )
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert outside.get("/api/session").json()["who"] == "Grace"

    def test_a_wrong_password_does_not(self, outside: TestClient) -> None:
        answer = outside.post("/login", data={"password": "<b>x"}, headers={"origin": BASE})
        assert answer.status_code == 401
        assert "not right" in answer.text
        assert outside.get("/api/session").status_code == 401

    def test_a_foreign_page_cannot_log_somebody_in(self, outside: TestClient) -> None:
        form = {"password": "open sesame"}
        assert outside.post("/login", data=form, headers={"origin": "http://evil.example"}).status_code == 403

    def test_a_name_of_html_is_shown_as_text(self, outside: TestClient) -> None:
        form = {"name": '"><script>x</script>', "password": "no"}
        assert "<script>x" not in outside.post("/login", data=form, headers={"origin": BASE}).text


def test_no_login_is_asked_for_on_this_machine(client: TestClient) -> None:
    assert client.get("/login").headers["location"] == "/"


def test_the_person_comes_from_the_cookie_or_whoever_started_the_server(
    open_studio: Callable[..., Studio],
) -> None:
    client = page_client(open_studio())
    assert client.get("/api/session").json()["who"] == "ada"
    client.cookies.set("lm_person", "Grace%20H.")
    assert client.get("/api/session").json()["who"] == "Grace H."
