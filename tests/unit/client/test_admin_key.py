"""The admin key that an operator chooses."""

from pathlib import Path

import pytest

from directorysync.cli.admin_key import given_admin_key
from directorysync.cli.datadir import DataDir
from directorysync.cli.failure import USAGE, Failure

KEY = "sk_" + "a" * 43


def test_no_key_is_given_by_default() -> None:
    assert given_admin_key({}) is None
    assert given_admin_key({"DIRSYNC_ADMIN_KEY": "", "DIRSYNC_ADMIN_KEY_FILE": ""}) is None


def test_a_key_comes_from_a_variable_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert given_admin_key({"DIRSYNC_ADMIN_KEY": KEY}) == KEY
    assert given_admin_key({"DIRSYNC_ADMIN_KEY_FILE": str(file)}) == KEY


@pytest.mark.parametrize("key", ["sk_short", "x" * 46, KEY + "a", "sk_" + "é" * 43, f"{KEY}\n{KEY}"])
def test_what_is_no_key_is_not_shown(tmp_path: Path, key: str) -> None:
    file = tmp_path / "key"
    file.write_text(key)
    for environ in ({"DIRSYNC_ADMIN_KEY": key}, {"DIRSYNC_ADMIN_KEY_FILE": str(file)}):
        with pytest.raises(Failure) as failure:
            given_admin_key(environ)
        assert failure.value.exit_code == USAGE
        assert key not in str(failure.value)
        assert next(iter(environ)) in str(failure.value)


def test_a_file_must_be_there_and_hold_something(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for path in (tmp_path / "none", tmp_path, empty):
        with pytest.raises(Failure, match="DIRSYNC_ADMIN_KEY_FILE"):
            given_admin_key({"DIRSYNC_ADMIN_KEY_FILE": str(path)})


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="both"):
        given_admin_key({"DIRSYNC_ADMIN_KEY": KEY, "DIRSYNC_ADMIN_KEY_FILE": str(tmp_path)})


def test_a_given_key_takes_the_place_of_the_one_that_was_made(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    made = data.admin_key()
    assert data.admin_key() == made != KEY
    assert data.admin_key(KEY) == data.admin_key() == KEY
    assert (tmp_path / "admin.key").stat().st_mode & 0o777 == 0o600
