"""The forward model: a kernel placed at every scatterer, on an open (not periodic) map.

    Y(r) = sum_j w_j A(r - r_j)

The activation map X = sum_j w_j delta(r - r_j) lives on a canvas half a window wider than the map
on every side, so that scatterers outside the map count and nothing wraps round. Positions are
sub-pixel: X is given by its exact band-limited spectrum

    X(q) = sum_j w_j exp(-i q r_j),

and `convolve` and `correlate` are exact adjoints of each other. All arrays are torch tensors in
pixels; leading dimensions are a batch.
"""

from dataclasses import dataclass

import torch
from scipy.fft import next_fast_len
from torch import Tensor


@dataclass(frozen=True)
class Geometry:
    """Sizes of map, kernel window and canvas [px].

    Parameters
    ----------
    height, width : int
        Size of the map.
    window : int
        Side K of the kernel window; the scatterer sits at pixel K // 2.
    """

    height: int
    width: int
    window: int

    @property
    def half(self) -> int:
        """Distance from the scatterer to the edge of the window [px]."""
        return self.window // 2

    @property
    def canvas(self) -> tuple[int, int]:
        """Size of the canvas; even, since Fourier transforms of such lengths are fastest."""
        return (
            _even_fast_length(self.height + 2 * self.half + 1),
            _even_fast_length(self.width + 2 * self.half + 1),
        )


def activation_spectrum(geometry: Geometry, rows_columns: Tensor, weights: Tensor) -> Tensor:
    """Return X(q) on the half plane of a real FFT.

    Parameters
    ----------
    rows_columns : Tensor, shape (..., n, 2)
        Positions [px], (0, 0) the centre of the first pixel; may lie outside the map.
    weights : Tensor, shape (..., n)

    Returns
    -------
    Tensor, complex, shape (..., canvas rows, canvas columns // 2 + 1)
    """
    f_rows, f_columns = _frequencies(geometry, rows_columns)
    along_rows = _waves(f_rows[:, None], rows_columns[..., None, :, 0])
    along_columns = _waves(f_columns, rows_columns[..., :, 1, None])
    return (along_rows * weights[..., None, :]) @ along_columns


def _frequencies(geometry: Geometry, like: Tensor) -> tuple[Tensor, Tensor]:
    rows, columns = geometry.canvas
    return (
        torch.fft.fftfreq(rows, device=like.device, dtype=like.dtype),
        torch.fft.rfftfreq(columns, device=like.device, dtype=like.dtype),
    )


def _waves(frequency: Tensor, places: Tensor) -> Tensor:
    """Return exp(-2 pi i f r); at the Nyquist frequency, where f is also -f, its real part."""
    angle = 2 * torch.pi * frequency * places
    return torch.complex(torch.cos(angle), -torch.sin(angle) * (frequency.abs() < 0.5))


def convolve(geometry: Geometry, spectrum: Tensor, kernel: Tensor) -> Tensor:
    """Return the map M a (..., height, width) of a kernel a (..., K, K) at the scatterers."""
    waves = from_corners(geometry, spectrum) * canvas_spectrum(geometry, kernel)
    return from_canvas(geometry, waves, geometry.height, geometry.width)


def correlate(geometry: Geometry, spectrum: Tensor, field: Tensor) -> Tensor:
    """Return the back-projection M^T y (..., K, K) of a map: what the scatterers see around."""
    return centred_window(geometry, spectrum.conj() * canvas_spectrum(geometry, field))


def kernel_spectrum(geometry: Geometry, kernel: Tensor) -> Tensor:
    """Return the spectrum of a kernel (..., K, K), its scatterer at the canvas origin."""
    return from_corners(geometry, canvas_spectrum(geometry, kernel))


def centred_window(geometry: Geometry, spectrum: Tensor) -> Tensor:
    """Return the kernel window (..., K, K) about the origin of a canvas."""
    cornered = spectrum * _corner(geometry, spectrum).conj()
    return from_canvas(geometry, cornered, geometry.window, geometry.window)


def from_corners(geometry: Geometry, spectrum: Tensor) -> Tensor:
    """Return X(q) of the corners at which the kernel windows of the scatterers begin."""
    return spectrum * _corner(geometry, spectrum)


# Transforms go along one axis after the other: rows of zeros are never transformed, and rows that
# nobody asks for never computed.
def canvas_spectrum(geometry: Geometry, image: Tensor) -> Tensor:
    """Return the spectrum of a map or window at the corner of the canvas, zero beyond it."""
    rows, columns = geometry.canvas
    spectrum: Tensor = torch.fft.fft(torch.fft.rfft(image, n=columns), n=rows, dim=-2)
    return spectrum


def from_canvas(geometry: Geometry, spectrum: Tensor, height: int, width: int) -> Tensor:
    """Return the part of this size at the corner of the canvas; see `canvas_spectrum`."""
    along_rows = torch.fft.ifft(spectrum, dim=-2)[..., :height, :]
    image: Tensor = torch.fft.irfft(along_rows, n=geometry.canvas[1])
    return image[..., :width]


def _corner(geometry: Geometry, like: Tensor) -> Tensor:
    """Return X(q) of a scatterer half a window before the first pixel."""
    place = torch.tensor(-geometry.half, dtype=torch.float64, device=like.device)
    kind = torch.promote_types(like.dtype, torch.complex32)
    rows, columns = (_waves(f, place).to(kind) for f in _frequencies(geometry, place))
    return rows[:, None] * columns


def _even_fast_length(length: int) -> int:
    while True:
        length = int(next_fast_len(length))
        if length % 2 == 0:
            return length
        length += 1
