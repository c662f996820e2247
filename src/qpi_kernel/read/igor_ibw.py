"""Igor binary waves (.ibw)."""

import xarray as xr

from qpi_kernel.read.igor_wave import is_wave, read_waves
from qpi_kernel.read.recording import Reader, Source


def read(source: Source) -> xr.Dataset:
    """Read a wave whose dimensions are x, y and, for a grid of spectra, the bias.

    Igor stores position = offset + step index with a unit along each dimension. Without a length
    unit the size must be given by hand; three dimensions need a bias in V or mV.

    Raises
    ------
    ReadError
        If igor2 is not installed, the file is damaged, or the wave is no map.
    """
    return read_waves(source, [source.content])


READER = Reader("Igor binary wave", (".ibw",), is_wave, read)
