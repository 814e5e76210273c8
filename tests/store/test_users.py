from __future__ import annotations

from pathlib import Path

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.store.users import Users


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path / "users.json")


def test_add__lets_in_with_the_password_and_role_that_were_given_last(users: Users) -> None:
    users.add("Zoë", "a long password", "owner")
    users.add("Zoë", "another password", "reviewer")
    assert users.check("Zoë", "a long password") is None
    found = users.check("Zoë", "another password")
    assert found is not None
    assert (found.name, found.role) == ("Zoë", "reviewer")
    assert users.check("zoë", "another password") is None


def test_add__keeps_a_hash_that_only_this_user_can_read(users: Users) -> None:
    users.add("ada", "a long password")
    assert users.path.stat().st_mode & 0o077 == 0
    assert "a long password" not in users.path.read_text(encoding="utf-8")
    assert "$argon2id$" in users.path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "password", "role", "what"),
    [
        ("", "long enough", "owner", "is no name"),
        (" ada", "long enough", "owner", "is no name"),
        ("a\nb", "long enough", "owner", "is no name"),
        ("x" * 61, "long enough", "owner", "is no name"),
        ("ada", "short", "owner", "too short"),
        ("ada", "long enough", "king", "no role 'king'"),
    ],
)
def test_add__refuses_what_is_no_name_password_or_role(
    users: Users, name: str, password: str, role: str, what: str
) -> None:
    with pytest.raises(StudioError, match=what):
        users.add(name, password, role)
    assert users.all() == []


def test_changes_of_another_process_count_at_once(users: Users) -> None:
    users.add("ada", "a long password")
    other = Users(users.path)
    assert [one.name for one in other.all()] == ["ada"]
    users.remove("ada")
    assert other.all() == []
    with pytest.raises(StudioError, match="no user 'ada'"):
        other.remove("ada")


def test_a_broken_entry_is_named(users: Users) -> None:
    users.add("ada", "a long password")
    users.path.write_text('{"ada": {"role": "king"}}', encoding="utf-8")
    with pytest.raises(StudioError, match=r"users\.json.*'ada' is broken"):
        users.find("ada")
    with pytest.raises(StudioError, match=r"users\.json.*'ada' is broken"):
        users.check("ada", "a long password")
