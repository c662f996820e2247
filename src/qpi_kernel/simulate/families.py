"""Random kernels for learning: families of scatterers on bands, with every scale in pixels.

A network sees pixels, not nanometres, so a family draws its ripple wavelength, decay length and
core size in pixels of the model grid; `draw_kernel` renders one kernel. Families in `HELD_OUT` are
never trained on: they answer how the model does on physics it has not seen.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qpi_kernel.simulate import continuum, tight_binding
from qpi_kernel.simulate.tmatrix import lattice_kernel

Floats = npt.NDArray[np.float64]
Family = Callable[[np.random.Generator, Floats], Floats]

# Ripple wavelengths on the 64 px model grid: shorter ones alias, longer ones show no ripple.
WAVELENGTH_PX = (4.5, 26.0)
DECAY_PX = (6.0, 300.0)


def draw_kernel(family: str, rng: np.random.Generator, size: int) -> npt.NDArray[np.float32]:
    """Draw one kernel of a family, shape (size, size), scatterer at pixel size // 2, L2 norm 1."""
    axis = np.arange(size, dtype=np.float64) - size // 2
    kernel = FAMILIES[family](rng, axis)
    kernel = _blur(kernel, _log_uniform(rng, 0.3, 0.9))
    norm = np.linalg.norm(kernel)
    if not np.isfinite(norm) or norm == 0:
        raise FloatingPointError(f"family {family} gave a kernel of norm {norm}")
    sign = float(rng.choice([-1.0, 1.0]))
    return (kernel / norm * sign).astype(np.float32)


def parabolic(rng: np.random.Generator, axis: Floats) -> Floats:
    """Isotropic ring: a surface state, electron or hole, any phase shift and absorption."""
    return _bands(rng, axis, count=1, anisotropy=1.0)


def elliptic(rng: np.random.Generator, axis: Floats) -> Floats:
    """Elliptic contour with mass ratio up to 5, at any angle."""
    return _bands(rng, axis, count=1, anisotropy=5.0)


def two_bands(rng: np.random.Generator, axis: Floats) -> Floats:
    """Two or three contours of different size and shape on one scatterer."""
    return _bands(rng, axis, count=int(rng.integers(2, 4)), anisotropy=3.0)


def rashba(rng: np.random.Generator, axis: Floats) -> Floats:
    """Rashba-split band, electron or hole."""
    q = 2 * np.pi / _log_uniform(rng, *WAVELENGTH_PX)
    split = rng.uniform(0.02, 0.45) * q
    energy, broadening = _scaled_energy(rng, np.sqrt(max(q**2 / 4 - split**2, 1e-4)))
    return continuum.rashba_kernel(
        axis[:, None],
        axis[None, :],
        energy,
        mass=continuum.HBAR2_2M_EV_NM2,
        crossing_eV=0.0,
        rashba_eV_nm=2 * split,
        broadening_eV=broadening,
        **_scatterer(rng),
    )


def warped(rng: np.random.Generator, axis: Floats) -> Floats:
    """Contour of 2-, 3-, 4- or 6-fold warping with spectral weight that depends on direction."""
    fold = int(rng.choice([2, 3, 4, 6]))
    warp, weight_warp = rng.uniform(0.03, 0.35) / max(fold / 3, 1), rng.uniform(0, 0.8)
    turn, weight_turn = rng.uniform(0, 2 * np.pi, 2)
    power = rng.choice([1.0, 2.0])
    k_target = np.pi / _log_uniform(rng, *WAVELENGTH_PX)
    size = 4 * axis.size
    k = 2 * np.pi * np.fft.fftfreq(size)
    kx, ky = k[None, :], k[:, None]
    radius, angle = np.hypot(kx, ky) / k_target, np.arctan2(ky, kx)
    contour = 1 + warp * np.cos(fold * angle + turn)
    band = (radius / contour) ** power
    # Odd warping breaks inversion, G(-r) differs from G(r), so both transforms are needed.
    weight = (1 + weight_warp * np.cos(2 * fold * angle + weight_turn)) * np.exp(
        -((radius / rng.uniform(1.8, 3.0)) ** 4)
    )
    decay = _log_uniform(rng, *DECAY_PX)
    broadening = power / (2 * k_target * decay)
    green = weight / (1 + 1j * max(broadening, 2.0 / (k_target * size)) - band)
    start = size // 2 - axis.size // 2
    window = slice(start, start + axis.size)
    out = np.fft.fftshift(np.fft.ifft2(green))[window, window]
    back = np.fft.fftshift(np.fft.fft2(green))[window, window]
    return np.asarray(np.imag(np.exp(1j * rng.uniform(0, 2 * np.pi)) * out * back))


def square(rng: np.random.Generator, axis: Floats) -> Floats:
    """Square lattice with next neighbours, anywhere in the band."""
    t2, t3 = rng.uniform(-0.45, 0.45), rng.uniform(-0.2, 0.2)
    model = tight_binding.square_lattice(_lattice_px(rng), 1.0, t2, t3)
    return _lattice(rng, axis, model)


def rectangular(rng: np.random.Generator, axis: Floats) -> Floats:
    """Rectangular lattice: twofold, from nearly square to nearly one-dimensional."""
    a = _lattice_px(rng)
    model = tight_binding.rectangular_lattice(
        (a, a * rng.uniform(0.75, 1.3)), (1.0, rng.uniform(0.25, 1.2)), rng.uniform(-0.3, 0.3)
    )
    return _lattice(rng, axis, model)


def honeycomb(rng: np.random.Generator, axis: Floats) -> Floats:
    """Honeycomb lattice, scatterer on one site: threefold."""
    model = tight_binding.honeycomb_lattice(
        _lattice_px(rng) * 1.4, 1.0, rng.choice([0.0, rng.uniform(0, 0.8)])
    )
    return _lattice(rng, axis, model)


def triangular(rng: np.random.Generator, axis: Floats) -> Floats:
    """Triangular lattice with next neighbours, anywhere in the band: sixfold."""
    model = tight_binding.triangular_lattice(_lattice_px(rng), 1.0, rng.uniform(-0.4, 0.4))
    return _lattice(rng, axis, model)


FAMILIES: dict[str, Family] = {
    "parabolic": parabolic,
    "elliptic": elliptic,
    "two_bands": two_bands,
    "warped": warped,
    "square": square,
    "rectangular": rectangular,
    "honeycomb": honeycomb,
    "rashba": rashba,
    "triangular": triangular,
}
HELD_OUT = ("rashba", "triangular")
TRAINED = tuple(name for name in FAMILIES if name not in HELD_OUT)


def _bands(rng: np.random.Generator, axis: Floats, count: int, anisotropy: float) -> Floats:
    total = np.zeros((axis.size, axis.size))
    for _ in range(count):
        q = 2 * np.pi / _log_uniform(rng, *WAVELENGTH_PX)
        energy, broadening = _scaled_energy(rng, q / 2)
        ratio = _log_uniform(rng, 1.0, anisotropy) if anisotropy > 1 else 1.0
        turn = rng.uniform(0, np.pi)
        y = axis[:, None] * np.cos(turn) - axis[None, :] * np.sin(turn)
        x = axis[:, None] * np.sin(turn) + axis[None, :] * np.cos(turn)
        sign = rng.choice([-1.0, 1.0])
        mass = sign * continuum.HBAR2_2M_EV_NM2
        kernel = continuum.parabolic_kernel(
            y,
            x,
            sign * energy,
            mass=(mass * np.sqrt(ratio), mass / np.sqrt(ratio)),
            edge_eV=0.0,
            broadening_eV=broadening,
            **_scatterer(rng),
        )
        total += kernel / np.linalg.norm(kernel) * rng.uniform(0.3, 1.0)
    return total


def _scaled_energy(rng: np.random.Generator, k: float) -> tuple[float, float]:
    # With hbar^2 / 2m = 1 the energy is k^2 and the ripples fall off as exp(-r / decay) for
    # eta = k / decay.
    return k**2, k / _log_uniform(rng, *DECAY_PX)


def _scatterer(rng: np.random.Generator) -> dict[str, float]:
    return {
        "phase_shift": rng.uniform(0.2, np.pi - 0.2),
        "absorption": rng.choice([0.0, rng.uniform(0, 1)]),
        "core_nm": _log_uniform(rng, 0.5, 2.5),
    }


def _lattice(rng: np.random.Generator, axis: Floats, model: tight_binding.TightBinding) -> Floats:
    b1, b2 = model.reciprocal
    fractions = np.linspace(0, 1, 24, endpoint=False)
    u, v = np.meshgrid(fractions, fractions)
    levels = np.linalg.eigvalsh(model.hamiltonian(u * b1[0] + v * b2[0], u * b1[1] + v * b2[1]))
    energy = float(rng.choice(levels.ravel())) + rng.normal(0, 0.02)
    width = float(np.ptp(levels))
    a = float(np.linalg.norm(model.lattice_nm[0]))
    velocity = width * a / 4
    broadening = velocity / (2 * _log_uniform(rng, DECAY_PX[0], 120.0))
    potential = np.zeros((model.orbital_count, model.orbital_count), complex)
    potential[0, 0] = width * _log_uniform(rng, 0.05, 5.0) * rng.choice([-1, 1])
    return lattice_kernel(
        model,
        axis,
        axis,
        energy,
        potential_eV=potential,
        broadening_eV=max(broadening, 0.004 * width),
        wannier_nm=rng.uniform(0.38, 0.6) * a / np.sqrt(model.orbital_count),
        angle_deg=rng.uniform(0, 360),
        mesh=96,
    )


def _lattice_px(rng: np.random.Generator) -> float:
    return _log_uniform(rng, 2.2, 7.0)


def _blur(kernel: Floats, sigma_px: float) -> Floats:
    """Round the tip off: a Gaussian of sigma pixels, in reciprocal space."""
    ky = 2 * np.pi * np.fft.fftfreq(kernel.shape[0])[:, None]
    kx = 2 * np.pi * np.fft.fftfreq(kernel.shape[1])[None, :]
    transfer = np.exp(-(kx**2 + ky**2) * sigma_px**2 / 2)
    return np.asarray(np.fft.ifft2(np.fft.fft2(kernel) * transfer).real)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
