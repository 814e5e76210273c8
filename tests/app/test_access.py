from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from logicmix_studio.app.access import (
    MAX_LOGIN_BYTES,
    Access,
    Guard,
    clean_name,
    host_name,
    is_loopback,
    load_secret,
)
from logicmix_studio.errors import StudioError

BASE = "http://127.0.0.1:7860"
FOREIGN = "http://evil.example"


def make_access(host: str = "127.0.0.1", password: str | None = None) -> Access:
    return Access(host, b"s" * 32, "program-token", password)


def with_cookies(cookies: str) -> HTTPConnection:
    return HTTPConnection({"type": "http", "headers": [(b"cookie", cookies.encode())]})


def guarded(access: Access) -> TestClient:
    """A client of an app that answers everything it is asked."""

    async def say_yes(request: Request) -> PlainTextResponse:
        return PlainTextResponse("inside")

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    routes = [WebSocketRoute("/socket", talk), Route("/{path:path}", say_yes, methods=["GET", "POST"])]
    app = Guard(Starlette(routes=routes), access)
    return TestClient(app, base_url=BASE, follow_redirects=False)


def test_access__refuses_an_open_host_without_a_password() -> None:
    with pytest.raises(StudioError, match=r"0\.0\.0\.0 can be reached"):
        make_access("0.0.0.0")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("127.0.0.1:7860", True),
        ("localhost", True),
        ("[::1]:7860", True),
        ("LOCALHOST:1", True),
        ("evil.example:7860", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.0.7:7860", False),
        ("", False),
    ],
)
def test_is_host_allowed__on_loopback_only_names_of_this_machine(header: str, expected: bool) -> None:
    assert make_access().is_host_allowed(header) is expected


def test_is_host_allowed__on_an_open_host_addresses_but_no_foreign_names() -> None:
    access = make_access("0.0.0.0", "pw")
    assert access.is_host_allowed("192.168.0.7:7860")
    assert not access.is_host_allowed("evil.example:7860")


def test_session_cookie__holds_until_it_expires_and_only_for_its_password() -> None:
    access = make_access("0.0.0.0", "pw")
    cookie = access.session_cookie(now=1_000)
    request = with_cookies(f"{access.cookie_name}={cookie}")
    assert access.is_logged_in(request, now=1_001)
    assert not access.is_logged_in(request, now=1_000 + 31 * 86_400)
    changed = make_access("0.0.0.0", "another")
    assert not changed.is_logged_in(with_cookies(f"{changed.cookie_name}={cookie}"), now=1_001)


@pytest.mark.parametrize("cookie", ["", "x", "99999999999.", "99999999999.AAAA", "-1.x", "²³.x", "9" * 5000 + ".x"])
def test_is_logged_in__refuses_a_forged_cookie(cookie: str) -> None:
    access = make_access("0.0.0.0", "pw")
    scope = {"type": "http", "headers": [(b"cookie", f"{access.cookie_name}={cookie}".encode())]}
    assert not access.is_logged_in(HTTPConnection(scope))


def test_check_password__makes_everybody_wait_after_ten_wrong_ones() -> None:
    access = make_access("0.0.0.0", "pw")
    assert not any(access.check_password("wrong", now=float(second)) for second in range(10))
    with pytest.raises(StudioError, match="too many"):
        access.check_password("pw", now=10.0)
    assert access.check_password("pw", now=61.0)


def test_load_secret__is_kept_and_private(tmp_path: Path) -> None:
    first = load_secret(tmp_path / "inner" / "secret")
    assert len(first) == 32
    assert load_secret(tmp_path / "inner" / "secret") == first
    assert (tmp_path / "inner" / "secret").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [("  Ada\tLovelace ", "Ada Lovelace"), ("a\x00b\x1b[31m", "a b [31m"), ("x" * 100, "x" * 60), ("", "")],
)
def test_clean_name(name: str, expected: str) -> None:
    assert clean_name(name) == expected


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("studio", False)]
)
def test_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_host_name__of_an_ipv6_address() -> None:
    assert host_name("[fe80::1]:80") == "fe80::1"


def test_guard__refuses_a_foreign_host_for_every_request() -> None:
    client = guarded(make_access())
    for path in ("/", "/config", "/thumb/0", "/gradio_api/info"):
        assert client.get(path, headers={"host": "evil.example"}).status_code == 421, path


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": BASE}, 200),
        ({"origin": FOREIGN}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:7861"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_guard__lets_changes_come_from_its_own_page_and_from_programs(headers: dict[str, str], status: int) -> None:
    assert guarded(make_access()).post("/gradio_api/call/decide", headers=headers).status_code == status


def test_guard__a_foreign_page_can_link_to_the_studio_but_not_load_from_it() -> None:
    client = guarded(make_access())
    foreign = {"sec-fetch-site": "cross-site"}
    assert client.get("/", headers=foreign).status_code == 200
    assert client.get("/thumb/0", headers=foreign).status_code == 403


def test_guard__refuses_a_websocket_of_a_foreign_page() -> None:
    client = guarded(make_access())
    with client.websocket_connect("/socket", headers={"origin": BASE, "host": "127.0.0.1:7860"}):
        pass
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/socket", headers={"origin": FOREIGN, "host": "127.0.0.1:7860"}),
    ):
        pass


def test_guard__adds_the_security_headers() -> None:
    for path in ("/", "/login", "/nothing-here"):
        headers = guarded(make_access("0.0.0.0", "pw")).get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "http" not in headers["content-security-policy"]
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["permissions-policy"].startswith("camera=()")


def test_login__is_not_asked_for_on_this_machine() -> None:
    assert guarded(make_access()).get("/login").headers["location"] == "/"


class TestLogin:
    @pytest.fixture
    def outside(self) -> TestClient:
        return guarded(make_access("0.0.0.0", "open sesame"))

    def test_nothing_is_shown_before(self, outside: TestClient) -> None:
        for path in ("/config", "/gradio_api/info", "/thumb/0", "/media/0", "/login/../config", "/logout"):
            assert outside.get(path).status_code == 401, path
        page = outside.get("/", headers={"accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        assert outside.post("/gradio_api/call/decide").status_code == 401

    def test_a_program_shows_its_token(self, outside: TestClient) -> None:
        assert outside.get("/config", headers={"x-logicmix-token": "program-token"}).status_code == 200
        assert outside.get("/config", headers={"x-logicmix-token": "other"}).status_code == 401

    def test_the_right_password_lets_in_under_a_name_until_log_out(self, outside: TestClient) -> None:
        form = {"username": "Grace", "password": "open sesame"}
        answer = outside.post("/login", data=form, headers={"origin": BASE, "accept": "text/html"})
        assert answer.status_code == 303
        session = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("lm_session"))
        assert "HttpOnly" in session
        assert "samesite=strict" in session.lower()
        assert outside.get("/config").status_code == 200
        assert outside.cookies["lm_person"] == "Grace"
        outside.post("/logout", headers={"origin": BASE})
        assert outside.get("/config").status_code == 401

    def test_a_wrong_password_does_not(self, outside: TestClient) -> None:
        form = {"username": '"><script>x</script>', "password": "<b>x"}
        answer = outside.post("/login", data=form, headers={"origin": BASE})
        assert answer.status_code == 401
        assert "not right" in answer.text
        assert "<script>x" not in answer.text
        assert outside.get("/config").status_code == 401

    def test_a_foreign_page_cannot_log_somebody_in(self, outside: TestClient) -> None:
        form = {"password": "open sesame"}
        assert outside.post("/login", data=form, headers={"origin": FOREIGN}).status_code == 403

    def test_a_long_body_is_not_read_to_its_end(self, outside: TestClient) -> None:
        form = {"username": "x" * 2 * MAX_LOGIN_BYTES, "password": "open sesame"}
        assert outside.post("/login", data=form, headers={"origin": BASE}).status_code == 401
