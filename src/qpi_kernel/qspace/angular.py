"""How a ring in q space varies around q = 0."""

import numpy as np
import xarray as xr

from qpi_kernel.maps import MapError
from qpi_kernel.qspace.sampling import sample, steps
from qpi_kernel.qspace.symmetry import FOLDS
from qpi_kernel.qspace.transform import check_fft


def angular_profile(
    fft: xr.DataArray, q_range: tuple[float, float], *, points: int | None = None
) -> xr.DataArray:
    """Return |F| between two radii as a function of the direction of q.

    Parameters
    ----------
    fft : xarray.DataArray, (bias, qy, qx)
        A transform.
    q_range : (lowest, highest)
        The ring over which |F| is averaged, by area [1/nm].
    points : int, optional
        Number of directions; by default one for each q-pixel along the outer circle.

    Returns
    -------
    xarray.DataArray, (bias, angle)
        Mean of |F| [unit of the transform]; angle [degrees] from qx towards qy, 0 to 360.

    Raises
    ------
    MapError
        If `fft` is no transform, or the ring is empty or reaches beyond it.
    """
    check_fft(fft)
    low, high = q_range
    edge = float(min(-fft["qy"][0], fft["qy"][-1], -fft["qx"][0], fft["qx"][-1]))
    if not 0 <= low < high <= edge:
        raise MapError(
            f"the ring from {low:g} to {high:g} 1/nm does not lie in the transform,"
            f" which reaches to {edge:.3g} 1/nm"
        )
    pixel = min(steps(fft))
    count = points or int(np.ceil(2 * np.pi * high / pixel))
    angle = 360.0 * np.arange(count) / count
    q = np.linspace(low, high, int(np.ceil(2 * (high - low) / pixel)) + 1)
    turn = np.deg2rad(angle)[:, None]
    power = fft.copy(data=np.abs(fft.values))
    values = sample(power, q * np.sin(turn), q * np.cos(turn))
    return xr.DataArray(
        values @ (q / q.sum()),
        dims=("bias", "angle"),
        coords={"bias": fft["bias"], "angle": ("angle", angle, {"units": "degree"})},
        attrs={"units": fft.attrs["units"], "q_range": [float(low), float(high)]},
    )


def fold_amplitudes(profile: xr.DataArray) -> xr.DataArray:
    """Return how strongly a ring varies n-fold: 2 |sum_a f(a) exp(-i n a)| / sum_a f(a).

    Parameters
    ----------
    profile : xarray.DataArray, (bias, angle)
        From `angular_profile`.

    Returns
    -------
    xarray.DataArray, (bias, fold)
        For n = 1, 2, 3, 4, 6; 0 for a ring that is even, 1 for 1 + cos(n a). |F| of a real kernel
        is even in q, which leaves n = 1 and 3 at 0 but for noise.
    """
    if profile.dims != ("bias", "angle"):
        raise MapError(f"expected a profile with dimensions (bias, angle), found {profile.dims}")
    waves = np.exp(-1j * np.outer(np.deg2rad(profile["angle"].values), FOLDS))
    mean = profile.values.sum(1, keepdims=True)
    values = np.divide(
        2 * np.abs(profile.values @ waves),
        mean,
        out=np.zeros((mean.size, len(FOLDS))),
        where=mean > 0,
    )
    return xr.DataArray(
        values,
        dims=("bias", "fold"),
        coords={"bias": profile["bias"], "fold": list(FOLDS)},
        attrs={"units": "1"},
    )
