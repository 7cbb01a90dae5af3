"""The data directory has one owner, and a key that is never half written."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from directorysync.cli.datadir import DataDir, DataDirError


def test_admin_key_is_made_once_and_private(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    key = data.admin_key()
    assert key.startswith("sk_")
    assert len(key) == 46
    assert data.admin_key() == key
    assert (tmp_path / "admin.key").read_text() == key + "\n"
    assert stat.S_IMODE((tmp_path / "admin.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["admin.key"]


def test_keys_differ(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert DataDir(tmp_path / "a").admin_key() != DataDir(tmp_path / "b").admin_key()


def test_damaged_key_is_refused_rather_than_replaced(tmp_path: Path) -> None:
    (tmp_path / "admin.key").write_text("\n")
    with pytest.raises(DataDirError, match="holds no key"):
        DataDir(tmp_path).admin_key()


def test_http_url_is_remembered(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    assert data.http_url() == "http://127.0.0.1:8080"
    data.set_http_url("http://127.0.0.1:9090")
    assert DataDir(tmp_path).http_url() == "http://127.0.0.1:9090"


def test_second_owner_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    with (
        DataDir(tmp_path).owned(),
        pytest.raises(DataDirError, match=rf"in use by another `dirsync serve` \(process {os.getpid()}\)"),
        DataDir(tmp_path).owned(),
    ):
        pytest.fail("it has an owner")


def test_directory_is_free_again_after_its_owner_was_killed(tmp_path: Path) -> None:
    program = f"""
import os, pathlib
from directorysync.cli.datadir import DataDir
with DataDir(pathlib.Path({str(tmp_path)!r})).owned():
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    with DataDir(tmp_path).owned():
        assert (tmp_path / "serve.lock").read_text() == str(os.getpid())


def test_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with DataDir(tmp_path / "a/b").owned():
        assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o700


def test_path_that_cannot_be_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirError, match="file/data"), DataDir(tmp_path / "file/data").owned():
        pytest.fail("it is below a file")
