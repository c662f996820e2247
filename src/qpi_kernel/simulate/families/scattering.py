"""Scattering on a torus of pixels: the fast way from G(k) to a random kernel.

The propagators between the tip at r and the sites a of a scatterer are Fourier integrals over plane
waves,

    g_a(r) = integral d2k/(2 pi)^2 exp(i k (r - R_a)) sum_m s_m(k) G_ma(k),

with the amplitude s_m(k) by which the tip sees orbital m. A mesh of wave vectors turns each into
one FFT, in single precision: kernels to learn from need no more. Lengths in pixels.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import fft

from qpi_kernel.simulate.tight_binding import TightBinding
from qpi_kernel.simulate.tmatrix import t_matrix

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Waves = npt.NDArray[np.complex64]
Complexes = npt.NDArray[np.complex128]

# Ripples live at most this long, in units of the window: the torus grows with them.
LONGEST_DECAY = 0.6
# The torus is longer than the window by so many decay lengths, so that G has fallen to exp(-2) on
# the way from an image of the scatterer to the window.
ROOM = 4.0


class Mesh:
    """Wave vectors of a torus that holds the window and lets the ripples fade beyond it.

    Parameters
    ----------
    size : int
        Pixels along each side of the window.
    decay : float
        Decay length of the ripples [px].

    Attributes
    ----------
    decay : float
        The decay length that the torus has room for [px].
    kx, ky : array, shape (1, N), (N, 1)
        Wave vectors [1/px].
    """

    def __init__(self, size: int, decay: float) -> None:
        self.size = size
        self.decay = min(decay, LONGEST_DECAY * size)
        self.pixels = int(fft.next_fast_len(round(size + ROOM * self.decay)))
        k = (2 * np.pi * np.fft.fftfreq(self.pixels)).astype(np.float32)
        self.kx, self.ky = k[None, :], k[:, None]

    def wave(self, xy: Sequence[float]) -> Waves:
        """Return exp(i k r) at r = (x, y) [px], shape (N, N)."""
        along_x = np.exp(1j * self.kx * np.float32(xy[0]))
        along_y = np.exp(1j * self.ky * np.float32(xy[1]))
        return np.asarray(along_y * along_x, np.complex64)

    def axes(
        self, unit: float, angle: float, centre: tuple[float, float] = (0.0, 0.0)
    ) -> tuple[Singles, Singles]:
        """Return wave vectors about a centre along turned axes, in units of `unit`, (N, N) each."""
        around = np.float32(2 * np.pi)
        # Wave vectors repeat beyond the Nyquist limit.
        kx, ky = (
            (k - np.float32(middle) + around / 2) % around - around / 2
            for k, middle in zip((self.kx, self.ky), centre, strict=True)
        )
        cosine, sine = np.float32(np.cos(angle) / unit), np.float32(np.sin(angle) / unit)
        return kx * cosine + ky * sine, ky * cosine - kx * sine

    def outward(self, amplitude: Waves) -> Waves:
        """Return integral d2k/(2 pi)^2 exp(i k r) amplitude(k) on the window."""
        return self._window(fft.ifft2(amplitude))

    def backward(self, amplitude: Waves) -> Waves:
        """Return integral d2k/(2 pi)^2 exp(-i k r) amplitude(k) on the window."""
        return self._window(fft.fft2(amplitude)) / np.float32(self.pixels**2)

    def _window(self, torus: Waves) -> Waves:
        half = self.size // 2
        near = np.arange(-half, self.size - half)
        return torus[np.ix_(near, near)]


def bloch(model: TightBinding, first: Waves, second: Waves) -> Waves:
    """Return H(k) of a crystal, shape (n, n, *k), in the gauge where it is periodic.

    Parameters
    ----------
    first, second : array, shape (*k)
        exp(i k a1) and exp(i k a2).
    """
    n = model.orbital_count
    result = np.zeros((n, n, *first.shape), np.complex64)
    known: dict[tuple[int, int], Waves] = {}
    for hop in model.hoppings:
        if hop.cell not in known:
            known[hop.cell] = _power(first, -hop.cell[0]) * _power(second, -hop.cell[1])
        term = np.complex64(hop.amplitude_eV) * known[hop.cell]
        result[hop.to, hop.start] += term
        if hop.cell != (0, 0) or hop.to != hop.start:
            result[hop.start, hop.to] += term.conj()
    return result


def zone(points: int) -> tuple[Waves, Waves]:
    """Return exp(i k a1) and exp(i k a2) on a mesh of the Brillouin zone, (points, points)."""
    phase = np.exp(2j * np.pi * (np.arange(points) + 0.5) / points).astype(np.complex64)
    first, second = np.meshgrid(phase, phase, indexing="ij")
    return first, second


def density(
    mesh: Mesh,
    green: Waves,
    seen: Waves,
    orbitals: Sequence[int],
    places: Sequence[Waves],
    scattering: Complexes,
) -> Floats:
    """Return delta rho(r) = -(1/pi) Im sum_c sum_ab g_ca(r) T_ab g~_bc(r) on the window.

    Parameters
    ----------
    mesh : Mesh
    green : array, shape (n, n, N, N)
        G(k).
    seen : array, shape (c, n, N, N)
        Amplitudes of the orbitals in each channel of the tip; channels do not interfere.
    orbitals : sequence of int, length s
        Orbital of each site of the scatterer.
    places : sequence of array, length s
        exp(i k R_a) of each site.
    scattering : array, shape (s, s)
        T.
    """
    total = np.zeros((mesh.size, mesh.size))
    for channel in seen:
        out, back = [], []
        for orbital, place in zip(orbitals, places, strict=True):
            out.append(mesh.outward(_sum(channel, green[:, orbital]) * place.conj()))
            back.append(mesh.backward(_sum(channel.conj(), green[orbital]) * place))
        answered = np.tensordot(scattering.astype(np.complex64), np.stack(back), 1)
        total -= np.sum(np.stack(out) * answered, axis=0).imag / np.pi
    return total


def answer(local: npt.ArrayLike, potential: npt.ArrayLike) -> Complexes:
    """Return T = V (1 - G V)^-1 of a scatterer, (s, s), from G between its sites."""
    green = np.atleast_2d(np.asarray(local, np.complex128))
    return t_matrix(green, np.atleast_2d(np.asarray(potential, np.complex128)))


def _sum(amplitudes: Waves, green: Waves) -> Waves:
    total: Waves = amplitudes[0] * green[0]
    for amplitude, part in zip(amplitudes[1:], green[1:], strict=True):
        total += amplitude * part
    return total


def _power(wave: Waves, exponent: int) -> Waves:
    base = wave if exponent >= 0 else wave.conj()
    result = base if exponent else np.ones_like(base)
    for _ in range(abs(exponent) - 1):
        result = result * base
    return result
