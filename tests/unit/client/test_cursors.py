"""A cursor in a file: the old one or the new one, whatever happens."""

import os
from pathlib import Path

import pytest

from directorysync import FileCursorStore


async def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    store = FileCursorStore(tmp_path / "cursor")
    assert await store.load() is None
    await store.save("c1")
    await store.save("c2")
    assert await FileCursorStore(tmp_path / "cursor").load() == "c2"
    assert os.listdir(tmp_path) == ["cursor"]


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", b"x" * 5_000, b"two\nlines\n"])
async def test_file_of_something_else_is_refused_and_left(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="does not hold a cursor"):
        await FileCursorStore(path).load()
    assert path.read_bytes() == content


async def test_write_that_fails_leaves_the_old_cursor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileCursorStore(tmp_path / "cursor")
    await store.save("c1")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        await store.save("c2")
    assert await store.load() == "c1"
