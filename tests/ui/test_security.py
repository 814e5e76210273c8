from __future__ import annotations

from pathlib import Path

import pytest
from starlette.requests import HTTPConnection

from logicmix_studio.errors import StudioError
from logicmix_studio.app.access import (
    Access,
    clean_name,
    host_name,
    is_loopback,
    is_same_origin,
    load_secret,
)


def _access(host: str = "127.0.0.1", password: str | None = None) -> Access:
    return Access(host, b"s" * 32, "program-token", password)


def _with_cookies(cookies: str) -> HTTPConnection:
    return HTTPConnection({"type": "http", "headers": [(b"cookie", cookies.encode())]})


def test_access__refuses_an_open_host_without_a_password() -> None:
    with pytest.raises(StudioError, match=r"0\.0\.0\.0 can be reached"):
        _access("0.0.0.0")


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
    assert _access().is_host_allowed(header) is expected


def test_is_host_allowed__on_an_open_host_addresses_but_no_foreign_names() -> None:
    access = _access("0.0.0.0", "pw")
    assert access.is_host_allowed("192.168.0.7:7860")
    assert not access.is_host_allowed("evil.example:7860")


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("http://127.0.0.1:7860", "127.0.0.1:7860", True),
        ("http://127.0.0.1:7861", "127.0.0.1:7860", False),
        ("http://evil.example", "127.0.0.1:7860", False),
        ("null", "127.0.0.1:7860", False),
        ("", "127.0.0.1:7860", False),
    ],
)
def test_is_same_origin(origin: str, host: str, expected: bool) -> None:
    assert is_same_origin({"origin": origin, "host": host}) is expected


def test_session_cookie__holds_until_it_expires_and_only_for_its_password() -> None:
    access = _access("0.0.0.0", "pw")
    cookie = access.session_cookie(now=1_000)
    request = _with_cookies(f"{access.cookie_name}={cookie}")
    assert access.is_logged_in(request, now=1_001)
    assert not access.is_logged_in(request, now=1_000 + 31 * 86_400)
    changed = _access("0.0.0.0", "another")
    assert not changed.is_logged_in(_with_cookies(f"{changed.cookie_name}={cookie}"), now=1_001)


@pytest.mark.parametrize("cookie", ["", "x", "99999999999.", "99999999999.AAAA", "-1.x"])
def test_is_logged_in__refuses_a_forged_cookie(cookie: str) -> None:
    access = _access("0.0.0.0", "pw")
    assert not access.is_logged_in(_with_cookies(f"{access.cookie_name}={cookie}"))


def test_check_password__makes_everybody_wait_after_ten_wrong_ones() -> None:
    access = _access("0.0.0.0", "pw")
    assert not any(access.check_password("wrong", now=float(second)) for second in range(10))
    with pytest.raises(StudioError, match="too many"):
        access.check_password("pw", now=10.0)
    assert access.check_password("pw", now=61.0)


def test_load_secret__is_kept_and_private(tmp_path: Path) -> None:
    first = load_secret(tmp_path / "inner" / "secret")
    assert len(first) == 32
    assert load_secret(tmp_path / "inner" / "secret") == first
    assert (tmp_path / "inner" / "secret").stat().st_mode & 0o077 == 0


def test_page_token__stays_when_the_server_is_restarted() -> None:
    assert _access().page_token == _access().page_token
    assert _access().page_token != Access("127.0.0.1", b"t" * 32, "program-token").page_token


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
