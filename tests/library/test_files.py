"""Files are replaced whole or not at all."""

from pathlib import Path

import pytest

from qpi_kernel.files import filling, replacing


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "kernel.tif"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".tif"
        assert not path.exists()
    assert path.read_text() == "new"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "kernel.tif"
    path.write_text("old")

    def interrupted():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_the_place_of_another_whole(tmp_path):
    for content in ("old", "new"):
        with replacing(tmp_path / "store") as temporary:
            temporary.mkdir()
            (temporary / content).write_text(content)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["new"]

    def fail_half_way():
        with replacing(tmp_path / "store") as temporary:
            temporary.mkdir()
            (temporary / "half").write_text("")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [path.name for path in tmp_path.rglob("*")] == ["store", "new"]


def test_a_folder_is_filled_whole_and_its_seal_comes_last(tmp_path, monkeypatch):
    folder = tmp_path / "result"
    moved = []
    replace = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda file, to: (moved.append(file.name), replace(file, to))
    )
    for content in ("old", "new"):
        with filling(folder, seal="a") as temporary:
            for name in "bac":
                (temporary / name).write_text(content)
            (temporary / content).write_text("")
            assert (folder / "a").exists() == (content == "new")
    assert [name for name in moved if name in "abc"] == ["b", "c", "a"] * 2
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        **dict.fromkeys("abc", "new"), "old": "", "new": "",
    }  # fmt: skip


def test_a_folder_that_was_filled_half_stays_as_it_was(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / ".filling-left").mkdir()

    def fail_half_way():
        with filling(tmp_path, seal="a") as temporary:
            (temporary / "a").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]
