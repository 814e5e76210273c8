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
    PERSON_HEADER,
    ROLE_HEADER,
    Access,
    EndedSessions,
    Guard,
    clean_name,
    host_name,
    is_loopback,
    load_secret,
)
from logicmix_studio.errors import StudioError
from logicmix_studio.store.users import Users

BASE = "http://127.0.0.1:7860"
FOREIGN = "http://evil.example"


@pytest.fixture
def users(tmp_path: Path) -> Users:
    """Ada owns the studio, Grace reviews."""
    users = Users(tmp_path / "users.json")
    users.add("ada", "ada's own", "owner")
    users.add("Grace", "open sesame")
    return users


def make_access(host: str = "127.0.0.1", users: Users | None = None) -> Access:
    return Access(host, b"s" * 32, "program-token", users)


def with_cookies(cookies: str) -> HTTPConnection:
    return HTTPConnection({"type": "http", "headers": [(b"cookie", cookies.encode())]})


def guarded(access: Access) -> TestClient:
    """A client of an app that answers everything it is asked."""

    async def say_yes(request: Request) -> PlainTextResponse:
        await request.body()
        said = [request.headers.get(name, "") for name in (PERSON_HEADER, ROLE_HEADER)]
        return PlainTextResponse(f"inside: {' '.join(said)}")

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    routes = [WebSocketRoute("/socket", talk), Route("/{path:path}", say_yes, methods=["GET", "POST"])]
    app = Guard(Starlette(routes=routes), access)
    return TestClient(app, base_url=BASE, follow_redirects=False)


def test_access__refuses_an_open_host_without_users(tmp_path: Path) -> None:
    for nobody in (None, Users(tmp_path / "none.json")):
        with pytest.raises(StudioError, match=r"0\.0\.0\.0 can be reached"):
            make_access("0.0.0.0", nobody)


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


def test_is_host_allowed__on_an_open_host_addresses_but_no_foreign_names(users: Users) -> None:
    access = make_access("0.0.0.0", users)
    assert access.is_host_allowed("192.168.0.7:7860")
    assert not access.is_host_allowed("evil.example:7860")


def test_session_cookie__holds_until_it_expires_or_the_password_changes_or_the_person_is_removed(users: Users) -> None:
    access, grace = make_access(users=users), users.all()[0]
    cookie = access.session_cookie(grace, now=1_000)
    request = with_cookies(f"{access.cookie_name}={cookie}")
    assert access.user_of(request, now=1_001) == grace
    assert access.user_of(request, now=1_000 + 31 * 86_400) is None
    users.add("Grace", "another one")
    assert access.user_of(request, now=1_001) is None
    request = with_cookies(f"{access.cookie_name}={access.session_cookie(users.all()[0], now=1_000)}")
    assert access.user_of(request, now=1_001) == users.all()[0]
    users.remove("Grace")
    assert access.user_of(request, now=1_001) is None


def test_session_cookie__of_one_person_is_not_another_persons(users: Users) -> None:
    access, (grace, ada) = make_access(users=users), users.all()
    expires, session, _, signature = access.session_cookie(grace).split(".")
    name = access.session_cookie(ada).split(".")[2]
    assert access.user_of(with_cookies(f"{access.cookie_name}={expires}.{session}.{name}.{signature}")) is None


ODD_COOKIES = [
    "",
    "x",
    "9999999999.",
    "9999999999.a.AAAA.AAAA",
    "-1.a.b.c",
    "²³.a.b.c",
    "9" * 5000 + ".a.b.c",
    "9.a._.c",
    "1.2",
]


@pytest.mark.parametrize("cookie", ODD_COOKIES)
def test_user_of__is_nobody_with_an_odd_cookie(cookie: str, users: Users) -> None:
    access = make_access("0.0.0.0", users)
    assert access.user_of(with_cookies(f"{access.cookie_name}={cookie}")) is None
    headers = {"cookie": f"{access.cookie_name}={cookie}".encode()}
    assert guarded(access).get("/config", headers=headers).status_code == 401


def test_check_password__makes_an_address_wait_after_ten_wrong_ones_and_no_other(users: Users) -> None:
    access = make_access("0.0.0.0", users)
    for second in range(10):
        assert access.check_password("Grace", "wrong", "192.168.0.7", now=float(second)) is None
    with pytest.raises(StudioError, match="too many"):
        access.check_password("Grace", "open sesame", "192.168.0.7", now=10.0)
    assert access.check_password("Grace", "open sesame", "192.168.0.8", now=10.0) == users.all()[0]
    assert access.check_password("Grace", "open sesame", "192.168.0.7", now=61.0) == users.all()[0]


def test_log_out__ends_a_session_also_after_a_restart(users: Users, tmp_path: Path) -> None:
    ended = EndedSessions(tmp_path / "sessions.json")
    access, grace = Access("127.0.0.1", b"s" * 32, "", users, ended), users.all()[0]
    left, other = (with_cookies(f"{access.cookie_name}={access.session_cookie(grace)}") for _ in range(2))
    access.log_out(left)
    again = Access("127.0.0.1", b"s" * 32, "", users, EndedSessions(tmp_path / "sessions.json"))
    assert [again.user_of(one) for one in (left, other)] == [None, grace]


def test_load_secret__is_kept_and_private(tmp_path: Path) -> None:
    first = load_secret(tmp_path / "secret")
    assert len(first) == 32
    assert load_secret(tmp_path / "secret") == first
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


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


def test_guard__adds_the_security_headers(users: Users) -> None:
    for path in ("/", "/login", "/nothing-here"):
        headers = guarded(make_access("0.0.0.0", users)).get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "http" not in headers["content-security-policy"]
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["permissions-policy"].startswith("camera=()")


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/gradio_api/process_recording", "/gradio_api/proxy=http://x"])
def test_guard__keeps_routes_closed_that_nothing_needs(path: str) -> None:
    assert guarded(make_access()).post(path, content=b"x").status_code == 404


def test_guard__takes_no_body_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logicmix_studio.app.access.MAX_BODY_BYTES", 1000)
    client = guarded(make_access())
    assert client.post("/any", content=b"x" * 1000).status_code == 200
    assert client.post("/any", content=b"x" * 1001).status_code == 413
    assert client.post("/any", content=(b"x" * 100 for _ in range(11))).status_code == 413, "no length announced"
    assert client.post("/any", headers={"content-length": "-5"}, content=b"").status_code == 413


def test_login__is_not_asked_for_on_this_machine() -> None:
    assert guarded(make_access()).get("/login").headers["location"] == "/"


class TestLogin:
    @pytest.fixture
    def outside(self, users: Users) -> TestClient:
        return guarded(make_access("0.0.0.0", users))

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
        spoken_for = {PERSON_HEADER: "ada", ROLE_HEADER: "owner"}
        assert outside.get("/config", headers=spoken_for).text == "inside: Grace reviewer"
        copied = dict(outside.cookies)
        outside.post("/logout", headers={"origin": BASE})
        assert outside.get("/config").status_code == 401
        outside.cookies.update(copied)
        assert outside.get("/config").status_code == 401, "a copied cookie has ended, too"

    def test_a_wrong_password_does_not(self, outside: TestClient) -> None:
        form = {"username": '"><script>x</script>', "password": "<b>x"}
        answer = outside.post("/login", data=form, headers={"origin": BASE})
        assert answer.status_code == 401
        assert "not right" in answer.text
        assert "<script>x" not in answer.text
        assert outside.get("/config").status_code == 401

    def test_a_foreign_page_cannot_log_somebody_in(self, outside: TestClient) -> None:
        form = {"username": "Grace", "password": "open sesame"}
        assert outside.post("/login", data=form, headers={"origin": FOREIGN}).status_code == 403

    def test_a_long_body_is_not_read_to_its_end(self, outside: TestClient) -> None:
        form = {"username": "x" * 2 * MAX_LOGIN_BYTES, "password": "open sesame"}
        assert outside.post("/login", data=form, headers={"origin": BASE}).status_code == 401
