import numpy as np
import pytest

from qpi_kernel import simulate_kernel, simulate_map
from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.crystals import pnictide
from qpi_kernel.simulate.hoppings import crystal_material, read_hoppings
from qpi_kernel.simulate.impurity import Impurity, impurity_kernel
from qpi_kernel.simulate.spin import rashba_coupling, with_spin
from qpi_kernel.simulate.tight_binding import (
    Hopping,
    TightBinding,
    honeycomb_lattice,
    square_lattice,
)

LOPSIDED = TightBinding(
    np.array([[0.4, 0.0], [0.1, 0.5]]),
    np.array([[0.0, 0.0], [0.15, 0.2]]),
    (
        Hopping((0, 0), 0, 0, 0.2), Hopping((0, 0), 1, 0, 0.1 + 0.3j), Hopping((1, 0), 0, 1, -0.2j),
        Hopping((1, -1), 1, 1, 0.05 - 0.02j), Hopping((-2, 1), 0, 0, 0.03),
    ),
)  # fmt: skip
MODELS = {
    "lopsided": LOPSIDED,
    "honeycomb": honeycomb_lattice(0.246, -2.8, 0.1),
    "pnictide": pnictide(),
    "with spin": with_spin(square_lattice(0.4, -0.1), rashba_coupling(0.02)),
}
EVERY = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def elements(model, layer=0):
    """(R, a, b, <0 a|H|R b>): an electron goes from b in R to a, by -R."""
    for cell, matrix in zip(*model.hopping_matrices, strict=True):
        for (a, b), amplitude in np.ndenumerate(matrix):
            yield (-cell[0], -cell[1], layer), a, b, amplitude


def write_wannier90(path, model, degeneracy=1):
    n = model.orbital_count
    cells = {}
    for cell, a, b, amplitude in elements(model):
        cells.setdefault(cell, {})[b, a] = amplitude
    degeneracies = [degeneracy + i % 2 for i in range(len(cells))]
    lines = [" written on 22Nov2026 at 12:00:00", f"{n:12d}", f"{len(cells):12d}"]
    for start in range(0, len(cells), 15):
        lines.append("".join(f"{d:5d}" for d in degeneracies[start : start + 15]))
    for (cell, block), d in zip(cells.items(), degeneracies, strict=True):
        for (b, a), amplitude in sorted(block.items()):
            t = amplitude * d
            where = "".join(f"{i:5d}" for i in (*cell, a + 1, b + 1))
            lines.append(f"{where}{t.real:12.6f}{t.imag:12.6f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_csv(path, rows, header="rx,ry,rz,a,b,Re,Im\n"):
    path.write_text(header + "".join(
        f"{i},{j},{k},{a},{b},{complex(t).real!r},{complex(t).imag!r}\n"
        for (i, j, k), a, b, t in rows
    ))  # fmt: skip
    return path


def assert_same_bands(first, second, atol):
    kx, ky = np.random.default_rng(2).uniform(-15, 15, (2, 40))
    np.testing.assert_allclose(
        first.hamiltonian(kx, ky), second.hamiltonian(kx, ky), rtol=0, atol=atol
    )


@EVERY
def test_a_model_comes_back_from_the_layout_of_wannier90(tmp_path, model):
    path = write_wannier90(tmp_path / "model_hr.dat", model, degeneracy=2)
    again = read_hoppings(path, lattice_nm=model.lattice_nm, orbitals_nm=model.orbitals_nm)
    assert_same_bands(again, model, 1e-5)


def test_bands_are_those_of_the_formula_of_wannier90(tmp_path):
    # H_mn(k) = sum_R exp(i k R) <0 m|H|R n> / degeneracy(R), straight from the numbers of the file.
    draw = np.random.default_rng(6)
    cells = [(0, 0), (1, 0), (-1, 0), (1, 2), (-1, -2)]
    onsite, right, far = draw.normal(size=(3, 3, 3)) + 1j * draw.normal(size=(3, 3, 3))
    blocks = [onsite + onsite.conj().T, right, right.conj().T, far, far.conj().T]
    degeneracies = [1, 2, 2, 3, 3]
    lines = ["written by hand", "3", "5", " ".join(map(str, degeneracies))]
    for (i, j), block in zip(cells, blocks, strict=True):
        lines += [
            f"{i} {j} 0 {m + 1} {n + 1} {block[m, n].real:.12f} {block[m, n].imag:.12f}"
            for n in range(3)
            for m in range(3)
        ]
    path = tmp_path / "drawn_hr.dat"
    path.write_text("\n".join(lines))
    lattice = np.array([[0.4, 0.0], [0.1, 0.5]])
    model = read_hoppings(path, lattice_nm=lattice)
    kx, ky = draw.uniform(-12, 12, (2, 30))
    expected = sum(
        np.exp(1j * (np.stack([kx, ky], -1) @ (cell @ lattice)))[:, None, None] * block / d
        for cell, block, d in zip(cells, blocks, degeneracies, strict=True)
    )
    np.testing.assert_allclose(model.hamiltonian(kx, ky), expected, atol=1e-10)


@EVERY
@pytest.mark.parametrize("header", ["", "rx,ry,rz,a,b,Re,Im\n", "# rx ry rz a b Re t Im t\n"])
def test_a_model_comes_back_from_lines_of_numbers(tmp_path, model, header):
    path = write_csv(tmp_path / "model.csv", elements(model), header)
    again = read_hoppings(path, lattice_nm=model.lattice_nm, orbitals_nm=model.orbitals_nm)
    assert_same_bands(again, model, 1e-12)


def test_orbitals_may_count_from_one_and_the_fermi_level_becomes_zero(tmp_path):
    rows = [(cell, a + 1, b + 1, t) for cell, a, b, t in elements(LOPSIDED)]
    path = write_csv(tmp_path / "model.csv", rows)
    again = read_hoppings(
        path, lattice_nm=LOPSIDED.lattice_nm, orbitals_nm=LOPSIDED.orbitals_nm, fermi_eV=0.35
    )
    zero = np.zeros(1)
    difference = LOPSIDED.hamiltonian(zero, zero) - again.hamiltonian(zero, zero)
    np.testing.assert_allclose(difference[0], 0.35 * np.eye(2), atol=1e-12)


def test_a_cut_at_kz_is_that_of_the_bands(tmp_path):
    # E = 2 t (cos x + cos y) + 2 tz cos z.
    flat, across = square_lattice(0.4, -0.1), -0.03
    rows = [*elements(flat), ((0, 0, 1), 0, 0, across), ((0, 0, -1), 0, 0, across)]
    path = write_csv(tmp_path / "model.csv", rows)
    for kz in (0.0, 0.25, 0.5):
        cut = read_hoppings(path, lattice_nm=flat.lattice_nm, kz=kz)
        shift = 2 * across * np.cos(2 * np.pi * kz)
        assert_same_bands(cut, square_lattice(0.4, -0.1, onsite_eV=shift), 1e-12)
    with pytest.raises(QpiError, match="across up to 1 layers; give kz"):
        read_hoppings(path, lattice_nm=flat.lattice_nm)


def test_a_model_of_your_own_goes_all_the_way(tmp_path):
    model = with_spin(square_lattice(0.4, -0.1), rashba_coupling(0.02))
    path = write_csv(tmp_path / "model.csv", elements(model))
    again = read_hoppings(path, lattice_nm=model.lattice_nm, spins=2)
    mine = crystal_material(
        again, name="mine", broadening_eV=0.02, wannier_nm=0.15, potential_eV=0.3
    )
    axis = 0.2 * np.arange(-8, 9)
    kernel = simulate_kernel(mine, bias_mV=[-210.0], y_nm=axis, x_nm=axis)
    both = Impurity(((0, 0, 0), (0, 0, 1)), 0.3 * np.eye(2))
    expected = impurity_kernel(model, both, axis, axis, -0.21, broadening_eV=0.02, wannier_nm=0.15)
    np.testing.assert_allclose(kernel.values[0], expected, atol=1e-5 * np.abs(expected).max())
    assert mine.energies_eV == pytest.approx((-0.4, 0.4), abs=0.02)
    simulated = simulate_map(mine, bias_mV=[-210.0], size_nm=8.0, pixels=32, scatterers=3, seed=1)
    assert simulated.didv.attrs["material"] == "mine"
    assert np.all(np.isfinite(simulated.didv.values))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "seven finite numbers"),
        ("rx,ry,rz,a,b,Re,Im\n", "seven finite numbers"),
        ("0 0 0 0 0 0.1\n", "expected seven finite numbers.*found '0 0 0 0 0 0.1'"),
        ("0 0 0 0 0 0.1 nan\n", "seven finite numbers"),
        ("0 0 0 0 0 0.1 0\n0 0 0 0 zero 0.1 0\n", "found '0 0 0 0 zero 0.1 0'"),
        ("0 0.5 0 0 0 0.1 0\n", "whole numbers"),
        ("0 0 0 0 0 0.1 0.2\n", "not Hermitian"),
        ("1 0 0 0 0 0.1 0\n", r"not Hermitian: <0 0\|H\|R 0> at R = \(1, 0\)"),
        ("0 0 0 -1 0 0.1 0\n", "count from 0 or 1"),
        ("0 0 0 0 99999 0.1 0\n", "up to 200"),
        ("made today\n 2\n 3\n 1 1 1\n 0 0 0 1 1 0.1 0.0\n", "not complete"),
        ("made today\n 900000\n 3\n 1 1 1\n", "not complete"),
        ("made today\n 1\n 1\n 0\n 0 0 0 1 1 0.1 0.0\n", "degeneracies"),
        ("made today\n 1\n 1\n x\n 0 0 0 1 1 0.1 0.0\n", "degeneracies"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, content, match):
    path = tmp_path / "damaged_hr.dat"
    path.write_text(content)
    with pytest.raises(QpiError, match=match) as refusal:
        read_hoppings(path, lattice_nm=np.eye(2))
    assert path.name in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_claim_beyond_memory_is_refused_before_anything_is_made(tmp_path):
    rows = "".join(f"{i} 0 0 1 1 0.1 0\n{-i} 0 0 200 200 0.1 0\n" for i in range(1, 300))
    path = tmp_path / "far.csv"
    path.write_text(rows)
    with pytest.raises(QpiError, match="leave out the far cells"):
        read_hoppings(path, lattice_nm=np.eye(2))


def test_what_does_not_fit_the_file_is_refused(tmp_path):
    path = write_csv(tmp_path / "model.csv", elements(LOPSIDED))
    for options, match in (
        ({"lattice_nm": np.eye(3)}, "two vectors"),
        ({"lattice_nm": np.ones((2, 2))}, "parallel"),
        ({"lattice_nm": np.eye(2), "orbitals_nm": [[0, 0]]}, "2 orbitals need 2 places"),
        ({"lattice_nm": np.eye(2), "spins": 3}, "1 or 2 spins"),
        ({"lattice_nm": np.eye(2), "lobes": ("dxz", "s")}, "each one of s, px"),
    ):
        with pytest.raises(QpiError, match=match):
            read_hoppings(path, **options)
    with pytest.raises(QpiError, match="no file of hoppings"):
        read_hoppings(tmp_path / "absent.csv", lattice_nm=np.eye(2))
    (tmp_path / "binary.dat").write_bytes(bytes(range(128, 256)))
    with pytest.raises(QpiError, match="no file of hoppings"):
        read_hoppings(tmp_path / "binary.dat", lattice_nm=np.eye(2))


def test_a_material_needs_an_orbital_and_widths():
    options = {"name": "mine", "broadening_eV": 0.01, "wannier_nm": 0.2, "potential_eV": 0.1}
    with pytest.raises(QpiError, match="orbital 2 is not among the 2"):
        crystal_material(LOPSIDED, orbital=2, **options)
    with pytest.raises(QpiError, match="must be positive"):
        crystal_material(LOPSIDED, **(options | {"broadening_eV": 0.0}))
