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
    rows, columns = geometry.canvas
    device, kind = rows_columns.device, rows_columns.dtype
    f_rows = torch.fft.fftfreq(rows, device=device, dtype=kind)
    f_columns = torch.fft.rfftfreq(columns, device=device, dtype=kind)
    along_rows = _waves(f_rows[:, None], rows_columns[..., None, :, 0])
    along_columns = _waves(f_columns, rows_columns[..., :, 1, None])
    return (along_rows * weights[..., None, :]) @ along_columns


def _waves(frequency: Tensor, places: Tensor) -> Tensor:
    """Return exp(-2 pi i f r); at the Nyquist frequency, where f is also -f, its real part."""
    angle = 2 * torch.pi * frequency * places
    return torch.complex(torch.cos(angle), -torch.sin(angle) * (frequency.abs() < 0.5))


def kernel_spectrum(geometry: Geometry, kernel: Tensor) -> Tensor:
    """Return the spectrum of a kernel (..., K, K), its scatterer at the canvas origin."""
    rows, columns = geometry.canvas
    pad = (0, columns - geometry.window, 0, rows - geometry.window)
    placed = torch.nn.functional.pad(kernel, pad)
    placed = torch.roll(placed, (-geometry.half, -geometry.half), (-2, -1))
    spectrum: Tensor = torch.fft.rfft2(placed)
    return spectrum


def convolve(geometry: Geometry, spectrum: Tensor, kernel: Tensor) -> Tensor:
    """Return the map M a (..., height, width) of a kernel a (..., K, K) at the scatterers."""
    spectral = spectrum * kernel_spectrum(geometry, kernel)
    full: Tensor = torch.fft.irfft2(spectral, s=geometry.canvas)
    return full[..., : geometry.height, : geometry.width]


def correlate(geometry: Geometry, spectrum: Tensor, field: Tensor) -> Tensor:
    """Return the back-projection M^T y (..., K, K) of a map: what the scatterers see around."""
    full = torch.fft.irfft2(spectrum.conj() * map_spectrum(geometry, field), s=geometry.canvas)
    return cut_window(geometry, full)


def map_spectrum(geometry: Geometry, field: Tensor) -> Tensor:
    """Return the spectrum of a map on the canvas, zero outside the map."""
    rows, columns = geometry.canvas
    pad = (0, columns - geometry.width, 0, rows - geometry.height)
    spectrum: Tensor = torch.fft.rfft2(torch.nn.functional.pad(field, pad))
    return spectrum


def cut_window(geometry: Geometry, full: Tensor) -> Tensor:
    """Cut the kernel window (..., K, K) out of a canvas whose origin is at pixel (0, 0)."""
    rolled = torch.roll(full, (geometry.half, geometry.half), (-2, -1))
    return rolled[..., : geometry.window, : geometry.window]


def _even_fast_length(length: int) -> int:
    while True:
        length = int(next_fast_len(length))
        if length % 2 == 0:
            return length
        length += 1
