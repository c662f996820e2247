"""A kernel beside a theory: how alike the two are in q space, energy by energy."""

import numpy as np
import xarray as xr

from qpi_kernel.maps import MapError
from qpi_kernel.qspace.transform import check_fft


def q_correlation(
    fft: xr.DataArray, theory: xr.DataArray, q_range: tuple[float, float] | None = None
) -> xr.DataArray:
    """Return the correlation of |F(q)| with a theory at every energy.

        c = cov(|F|, |J|) / sqrt(var |F| var |J|)    over all q of the range

    Parameters
    ----------
    fft : xarray.DataArray, (bias, qy, qx)
        The transform of a kernel.
    theory : xarray.DataArray, (bias, qy, qx)
        Another on the same grid: a joint density of states
        (`qpi_kernel.simulate.joint_density_of_states`) or the transform of a simulated kernel, of
        which the modulus is taken.
    q_range : (lowest, highest), optional
        The |q| that count [1/nm]; by default all but q = 0, where the joint density of states has
        a peak that no kernel knows.

    Returns
    -------
    xarray.DataArray, (bias,)
        -1 to 1; NaN where one of the two does not vary.

    Raises
    ------
    MapError
        If the two are not on the same biases and q, or the range holds fewer than three q.
    """
    check_fft(fft)
    check_fft(theory)
    for dim in fft.dims:
        here, there = fft[dim].values, theory[dim].values
        tolerance = 1e-3 * (float(np.ptp(here)) / max(here.size - 1, 1) or 1.0)
        if here.size != there.size or np.max(np.abs(here - there)) > tolerance:
            raise MapError(
                f"kernel and theory have different {dim}: compute the theory on the axes of the"
                " kernel"
            )
    q = np.hypot(fft["qy"].values[:, None], fft["qx"].values[None, :])
    low, high = q_range or (1e-9, np.inf)
    inside = (q >= low) & (q <= high)
    if np.count_nonzero(inside) < 3:
        raise MapError(f"the range {low:g} to {high:g} 1/nm holds fewer than three q")
    here, there = (np.abs(field.values[:, inside]).astype(float) for field in (fft, theory))
    here, there = (values - values.mean(1, keepdims=True) for values in (here, there))
    norm = np.sqrt((here**2).sum(1) * (there**2).sum(1))
    correlation = np.divide(
        (here * there).sum(1), norm, out=np.full(norm.size, np.nan), where=norm > 0
    )
    return xr.DataArray(
        correlation, dims=("bias",), coords={"bias": fft["bias"]}, attrs={"units": "1"}
    )
