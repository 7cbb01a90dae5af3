"""Where the address, the key and the encryption come from."""

from pathlib import Path

import pytest

from directorysync.credentials import Connection, Tls, resolve


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "admin.key").write_text("sk_from_file\n")
    return tmp_path


def test_arguments_win_over_the_environment() -> None:
    environ = {"DIRSYNC_ADDRESS": "127.0.0.1:1", "DIRSYNC_API_KEY": "sk_env"}
    assert resolve("127.0.0.1:2", "sk_arg", environ=environ) == Connection("127.0.0.1:2", "sk_arg", None)


def test_environment_wins_over_the_admin_key(data_dir: Path) -> None:
    environ = {"DIRSYNC_ADDRESS": "127.0.0.1:1", "DIRSYNC_API_KEY": "sk_env", "DIRSYNC_DATA_DIR": str(data_dir)}
    assert resolve(environ=environ) == Connection("127.0.0.1:1", "sk_env", None)


def test_defaults_are_this_machine_and_its_admin_key(data_dir: Path) -> None:
    assert resolve(environ={"DIRSYNC_DATA_DIR": str(data_dir)}) == Connection("127.0.0.1:50051", "sk_from_file", None)


def test_admin_key_is_looked_for_in_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".dirsync").mkdir()
    (tmp_path / ".dirsync/admin.key").write_text("sk_here")
    monkeypatch.chdir(tmp_path)
    assert resolve(environ={}).api_key == "sk_here"


def test_admin_key_never_leaves_this_machine(data_dir: Path) -> None:
    environ = {"DIRSYNC_DATA_DIR": str(data_dir)}
    assert resolve("sync.example.com:443", environ=environ).api_key is None


@pytest.mark.parametrize("address", ["127.0.0.1:9", "localhost:9", "[::1]:9", "unix:/run/dirsync.sock"])
def test_this_machine_is_reached_in_plaintext(address: str) -> None:
    assert resolve(address, "sk", environ={}).tls is None


@pytest.mark.parametrize("address", ["sync.example.com:443", "10.0.0.1:50051", "dns:///sync.example.com:443"])
def test_other_machines_are_reached_with_tls(address: str) -> None:
    assert resolve(address, "sk", environ={}).tls == Tls()


def test_tls_follows_its_setting() -> None:
    assert resolve("10.0.0.1:50051", "sk", environ={"DIRSYNC_TLS": "off"}).tls is None
    assert resolve("127.0.0.1:50051", "sk", environ={"DIRSYNC_TLS": "on"}).tls == Tls()
    assert resolve("10.0.0.1:50051", "sk", tls=False, environ={"DIRSYNC_TLS": "on"}).tls is None
    with pytest.raises(ValueError, match="DIRSYNC_TLS is `on` or `off`"):
        resolve(environ={"DIRSYNC_TLS": "perhaps"})


def test_tls_files_come_from_the_environment() -> None:
    environ = {"DIRSYNC_TLS_CA": "/ca.pem", "DIRSYNC_TLS_CERT": "/c.pem", "DIRSYNC_TLS_KEY": "/k.pem"}
    assert resolve("a.example:1", environ=environ).tls == Tls(Path("/ca.pem"), Path("/c.pem"), Path("/k.pem"))
