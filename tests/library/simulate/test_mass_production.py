import numpy as np
import pytest
import torch

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.mass_production import lattice_kernels
from qpi_kernel.simulate.spin import with_spin
from qpi_kernel.simulate.tight_binding import (
    Hopping,
    TightBinding,
    honeycomb_lattice,
    square_lattice,
    triangular_lattice,
)
from qpi_kernel.simulate.tmatrix import lattice_kernel

AXIS = np.arange(48.0) - 24
SINGLE = 1e-3  # of the largest value: complex64, and eta = 1/100 of the band width


def three_orbitals(seed):
    draw = np.random.default_rng(seed)
    cells = [(0, 0), (1, 0), (0, 1), (1, 1)]
    hoppings = tuple(
        Hopping(cell, a, b, complex(draw.normal(), draw.normal() if cell != (0, 0) else 0.0))
        for cell in cells
        for a in range(3)
        for b in range(a + 1 if cell == (0, 0) else 3)
    )
    lattice = np.array([[3.0, 0.2], [0.4, 3.5]])
    return TightBinding(lattice, draw.uniform(0, 2, (3, 2)), hoppings, lobes=("s", "px", "dx2-y2"))


BATCHES = {
    "one orbital": [
        square_lattice(3.0, -1.0, 0.3), triangular_lattice(4.0, 1.0), square_lattice(2.5, -0.6),
    ],
    "two orbitals": [honeycomb_lattice(4.0, -1.0, 0.2), honeycomb_lattice(5.5, -1.2)],
    "three orbitals with lobes": [three_orbitals(1), three_orbitals(2)],
}  # fmt: skip


def drawn(models):
    draw = np.random.default_rng(7)
    b, n = len(models), models[0].orbital_count
    potential = draw.normal(size=(b, n, n))
    return {
        "energy_eV": draw.uniform(-1.5, 1.5, b),
        "potential_eV": potential + potential.swapaxes(1, 2),
        "broadening_eV": draw.uniform(0.08, 0.2, b),
        "wannier_nm": draw.uniform(1.0, 1.6, b),
        "angle_deg": draw.uniform(0, 360, b),
    }


@pytest.mark.parametrize("models", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.complex128, 1e-10), (torch.complex64, SINGLE)]
)
def test_a_batch_equals_the_reference_one_by_one(models, dtype, tolerance):
    options = drawn(models)
    y, x = AXIS, 0.9 * AXIS[:40] + 0.3
    kernels = lattice_kernels(models, y, x, mesh=48, dtype=dtype, **options)
    assert kernels.shape == (len(models), y.size, x.size)
    for i, (model, kernel) in enumerate(zip(models, kernels, strict=True)):
        one = {name: values[i] for name, values in options.items()}
        expected = lattice_kernel(model, y, x, mesh=48, **one)
        np.testing.assert_allclose(
            kernel.numpy(), expected, atol=tolerance * np.abs(expected).max()
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same():
    models = BATCHES["two orbitals"]
    options = drawn(models)
    near, far = (
        lattice_kernels(models, AXIS, AXIS, mesh=48, device=device, **options).cpu()
        for device in ("cpu", "cuda")
    )
    assert (near - far).abs().max() < SINGLE * near.abs().max()


def test_numbers_serve_all_crystals_of_a_batch():
    models = BATCHES["one orbital"]
    shared = {"potential_eV": [[1.1]], "broadening_eV": 0.2, "wannier_nm": 1.2}
    together = lattice_kernels(models, AXIS, AXIS, 0.4, mesh=32, **shared)
    alone = lattice_kernels(models[1:2], AXIS, AXIS, [0.4], mesh=32, **shared)
    np.testing.assert_allclose(together[1], alone[0], atol=1e-6 * float(alone.abs().max()))


def test_what_makes_no_batch_is_refused():
    square, honeycomb = BATCHES["one orbital"][0], BATCHES["two orbitals"][0]
    good = {"potential_eV": [[1.0]], "broadening_eV": 0.1, "wannier_nm": 1.0}
    for models, changes, match in (
        ([square, honeycomb], {}, "2 kinds of orbitals"),
        ([], {}, "0 crystals"),
        ([with_spin(square)], {"potential_eV": np.eye(2)}, "neither spins nor holes"),
        ([square], {"broadening_eV": 0.0}, "must be positive"),
        ([square], {"wannier_nm": [-1.0]}, "must be positive"),
        ([square, square], {"potential_eV": np.eye(2)}, r"or \(2, 1, 1\), got \(2, 2\)"),
    ):
        with pytest.raises(QpiError, match=match):
            lattice_kernels(models, AXIS, AXIS, 0.3, **(good | changes))
