"""The quick starts of the README run as they are written."""

import re
import shlex
from pathlib import Path

import pytest

from qpi_kernel.cli import main
from qpi_kernel.learn.model import SHIPPED

pytestmark = pytest.mark.skipif(
    not SHIPPED.is_file(), reason="the trained model is not part of this checkout"
)

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def block(language, first_word):
    blocks = re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return next(text for text in blocks if text.startswith(first_word))


def test_the_python_quick_start_runs():
    names = {}
    exec(block("python", "import qpi_kernel"), names)
    assert names["assessment"].verdict in {"good", "doubtful", "untrusted"}
    assert names["result"].kernel.dims == ("bias", "y", "x")
    assert Path("result/kernel.tif").exists()


def test_the_command_line_quick_start_runs(capsys):
    for line in block("sh", "qpi-kernel").splitlines():
        assert main(shlex.split(line)[1:]) == 0, capsys.readouterr().err
    assert Path("again/kernel.tif").read_bytes() == Path("result/kernel.tif").read_bytes()
