import numpy as np
import pytest

from qpi_kernel.cli import main
from tests.library.command_line import one_error_line

# A square lattice, t = -0.1 eV; <0 a|H|R b> for R and -R.
HOPPINGS = "rx,ry,rz,a,b,Re,Im\n" + "".join(
    f"{i},{j},0,1,1,-0.1,0\n" for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1))
)
MAP = ["--lattice", "0.4,0,0,0.4", "--bias", "-250", "--size", "12", "--pixels", "48"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(HOPPINGS)
    return path


def test_a_map_of_your_own_crystal(file, tmp_path, capsys):
    out = tmp_path / "map.npz"
    words = [*MAP, "--out", str(out), "--broadening", "10", "--scatterers", "4", "--seed", "2"]
    assert main(["simulate-crystal", str(file), *words]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    with np.load(out) as written:
        assert written["values"].shape[-2:] == (48, 48)
        assert np.ptp(written["values"]) > 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--orbitals", "0,0,0.1,0.1"], "1 orbitals need 1 places"),
        (["--orbitals", "0,0,0.1"], "X,Y"),
        (["--lobes", "dxz"], "each one of s, px"),
        (["--orbital", "1"], "orbital 1 is not among"),
        (["--broadening", "0"], "must be positive"),
        (["--broadening", "0.001"], "raise the broadening"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(file, tmp_path, capsys, words, says):
    out = tmp_path / "map.npz"
    assert main(["simulate-crystal", str(file), *MAP, "--out", str(out), *words]) == 1
    assert says in one_error_line(capsys)
    assert not out.exists()
