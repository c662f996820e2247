"""Contours of any shape, without a crystal behind them: warped, open, of several pockets."""

import numpy as np

from qpi_kernel.simulate.families.drawing import (
    DECAY_PX,
    LIVED_PX,
    WAVELENGTH_PX,
    Floats,
    either_sign,
    log_uniform,
    strength,
)
from qpi_kernel.simulate.families.scattering import (
    Mesh,
    Singles,
    Waves,
    answer,
    density,
)
from qpi_kernel.simulate.green import resolvent


def warped(rng: np.random.Generator, axis: Floats) -> Floats:
    """Contour of 2-, 3-, 4- or 6-fold warping with spectral weight that depends on direction."""
    fold = int(rng.choice([2, 3, 4, 6]))
    warp, weight_warp = rng.uniform(0.03, 0.35) / max(fold / 3, 1), rng.uniform(0, 0.8)
    turn, weight_turn = rng.uniform(0, 2 * np.pi, 2)
    power = rng.choice([1.0, 2.0])
    k_target = np.pi / log_uniform(rng, *WAVELENGTH_PX)
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
    decay = log_uniform(rng, *DECAY_PX)
    broadening = power / (2 * k_target * decay)
    green = weight / (1 + 1j * max(broadening, 2.0 / (k_target * size)) - band)
    start = size // 2 - axis.size // 2
    window = slice(start, start + axis.size)
    out = np.fft.fftshift(np.fft.ifft2(green))[window, window]
    back = np.fft.fftshift(np.fft.fft2(green))[window, window]
    return np.asarray(np.imag(np.exp(1j * rng.uniform(0, 2 * np.pi)) * out * back))


def arcs(rng: np.random.Generator, axis: Floats) -> Floats:
    """Open, nearly one-dimensional contour with weight on two arcs: stripes that fan out."""
    mesh = Mesh(axis.size, log_uniform(rng, *LIVED_PX))
    k = np.pi / log_uniform(rng, *WAVELENGTH_PX)
    kx, ky = mesh.axes(k, rng.uniform(0, 2 * np.pi))
    bend, period, skew = rng.uniform(-0.6, 0.6), rng.uniform(0.5, 2.5), rng.uniform(-0.4, 0.4)
    band = kx**2 + bend * (1 - np.cos(period * ky)) + skew * kx * ky
    length = rng.uniform(0.4, 2.0)
    form = np.exp(-(((kx / rng.uniform(1.8, 3.0)) ** 2) ** 2) - (ky / length) ** 2)
    return _one_band(rng, mesh, band, 2.0, k, form)


def kp(rng: np.random.Generator, axis: Floats) -> Floats:
    """Two bands k^p of random warping that mix as a random power of kx + i ky."""
    mesh = Mesh(axis.size, log_uniform(rng, *LIVED_PX))
    k = np.pi / log_uniform(rng, *WAVELENGTH_PX)
    kx, ky = mesh.axes(k, rng.uniform(0, 2 * np.pi))
    radius, angle = np.hypot(kx, ky), np.arctan2(ky, kx)
    power = rng.choice([1.0, 1.5, 2.0, 3.0])
    folds = np.array([2, 3, 4, 6])
    sizes = rng.normal(0, 0.12, 4) / np.maximum(folds / 2, 1) * (rng.random(4) < 0.6)
    phases = rng.uniform(0, 2 * np.pi, 4)
    warp = sum(s * np.cos(n * angle + p) for n, s, p in zip(folds, sizes, phases, strict=True))
    form = np.exp(-(((radius / rng.uniform(1.8, 3.0)) ** 2) ** 2))
    first = (radius / (1 + np.clip(warp, -0.5, 0.5))) ** power
    if rng.random() < 0.4:
        return _one_band(rng, mesh, first, power, k, form)
    other, offset = rng.uniform(-1.2, 1.2), rng.uniform(-1.5, 1.5)
    mixing, order = rng.uniform(0.05, 0.8), int(rng.integers(0, 4))
    mixed = mixing * (kx + 1j * ky) ** order / np.maximum(radius, 1) ** max(order - 1, 0)
    hamiltonian = np.stack([
        np.stack([first + 0j, mixed]), np.stack([mixed.conj(), other * radius**2 + offset + 0j])
    ]).astype(np.complex64)  # fmt: skip
    at_k = np.array([[1.0, mixing], [mixing, other + offset]])
    levels, states = np.linalg.eigh(at_k)
    band = int(rng.integers(2))
    slopes = np.array([power, 2 * other])
    slope = max(abs(float(slopes @ states[:, band] ** 2)), 0.3)
    energy = complex(levels[band] + 1j * _broadening(mesh, k, slope))
    green = resolvent(hamiltonian, energy)
    seen = rng.normal(size=(1, 2, 1, 1)).astype(np.complex64) * form.astype(np.complex64)
    local = np.mean(green * form**2, axis=(2, 3))
    potential = strength(rng, 1 / float(np.linalg.norm(local)))
    share = rng.uniform(0, np.pi)
    direction = np.array([np.cos(share), np.sin(share)])
    scattering = answer(local, potential * np.outer(direction, direction))
    places = 2 * [form.astype(np.complex64)]
    return density(mesh, green, seen, (0, 1), places, scattering)


def pockets_hexagonal(rng: np.random.Generator, axis: Floats) -> Floats:
    """Hole pocket at Gamma and three electron ellipses at the points M of a hexagonal zone."""
    turn = rng.uniform(0, 2 * np.pi)
    return _pockets(rng, axis, [turn + np.pi / 3 * n for n in range(3)])


def pockets_square(rng: np.random.Generator, axis: Floats) -> Floats:
    """Hole pocket at Gamma and two crossed electron ellipses on the edges of a square zone."""
    turn = rng.uniform(0, 2 * np.pi)
    return _pockets(rng, axis, [turn, turn + np.pi / 2])


def _pockets(rng: np.random.Generator, axis: Floats, directions: list[float]) -> Floats:
    mesh = Mesh(axis.size, log_uniform(rng, *LIVED_PX))
    vector = 2 * np.pi / log_uniform(rng, 3.2, 8.0)
    radius = vector * rng.uniform(0.12, 0.34)
    pockets = [(0.0, 0.0, either_sign(rng) * rng.uniform(0.6, 1.2), 1.0, 0.0)]
    ratio = log_uniform(rng, 1.0, 4.0) ** (0.5 * either_sign(rng))
    pockets += [
        (vector * np.cos(angle), vector * np.sin(angle), 1.0, ratio, angle) for angle in directions
    ]
    broadening = _broadening(mesh, radius, 2.0)
    count = len(pockets)
    green = np.zeros((count, count, mesh.pixels, mesh.pixels), np.complex64)
    seen = np.zeros((1, count, mesh.pixels, mesh.pixels), np.complex64)
    for index, (qx, qy, curvature, shape, angle) in enumerate(pockets):
        kx, ky = mesh.axes(radius, angle, (qx, qy))
        squared = kx**2 * np.float32(shape) + ky**2 / np.float32(shape)
        # A hole pocket has 1 + c (1 - k^2), an electron pocket k^2, both on the contour at 1.
        band = 1 + np.float32(curvature) * (squared - 1)
        green[index, index] = 1 / (np.complex64(1 + 1j * broadening) - band)
        seen[0, index] = np.exp(-((squared / 6) ** 2)) * (1.0 if index == 0 else 0.6)
    forms = [plane / np.abs(plane).max() for plane in seen[0]]
    local = np.diag([
        complex(np.mean(green[m, m] * form**2)) for m, form in enumerate(forms)
    ])  # fmt: skip
    between = rng.uniform(0.1, 1.0)
    matrix = between + (1 - between) * np.eye(count)
    scattering = answer(local, strength(rng, 1 / float(np.abs(local).max())) * matrix)
    return density(mesh, green, seen, range(count), forms, scattering)


def _broadening(mesh: Mesh, k: float, slope: float) -> float:
    """Return eta of a band of dE/dk = slope at wave vector 1, in units of k."""
    return slope / (2 * k * mesh.decay)


def _one_band(
    rng: np.random.Generator, mesh: Mesh, band: Singles, slope: float, k: float, form: Singles
) -> Floats:
    """Render a point scatterer of any phase shift in a band with its contour at 1."""
    energy = np.complex64(1 + 1j * _broadening(mesh, k, slope))
    green: Waves = (1 / (energy - band)).astype(np.complex64)
    scattering = np.array([[np.exp(1j * rng.uniform(0, 2 * np.pi))]])
    seen = form.astype(np.complex64)
    return density(mesh, green[None, None], seen[None, None], (0,), (seen,), scattering)
