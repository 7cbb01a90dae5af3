"""What `dirsync webhook create` says of receivers that only this host or its network can reach."""

import pytest

from directorysync.cli.receivers import warn_if_inward


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost:3000/hook",
        "https://LOCALHOST./hook",
        "https://app.localhost/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://192.168.1.1:8443/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://[fd00::1]/",
    ],
)
def test_a_receiver_inside_is_told_with_the_settings_that_open_it(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    warn_if_inward(url)
    said = capsys.readouterr().err
    assert "DIRSYNC_WEBHOOK_ALLOWED_HOSTS" in said
    assert "DIRSYNC_WEBHOOK_ALLOWED_NETWORKS" in said


@pytest.mark.parametrize("url", [None, "", "https://app.example/hook", "https://8.8.8.8/", "https://[::1", "no url"])
def test_nothing_is_said_of_others(url: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    warn_if_inward(url)
    assert capsys.readouterr().err == ""
