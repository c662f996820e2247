"""The command `qspace`: curves, E(q), peaks and a band from a result or a map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from qpi_kernel.cli.arguments import Out, QRange
from qpi_kernel.cli.running import say
from qpi_kernel.errors import QpiError

# Heavy modules load when something runs, so that --help and mistyped commands answer at once.
if TYPE_CHECKING:
    import xarray as xr


def qspace(
    file: Path,
    /,
    *,
    out: Out,
    channel: str | None = None,
    angle: float | None = None,
    width: float = 0.0,
    q_range: QRange = None,
    band: Literal["none", "parabola", "linear"] = "none",
    q_over_k: Annotated[float, Parameter(name="--q-over-k")] = 2.0,
    symmetry: Literal["none", "C2", "C3", "C4", "C6", "C2v", "C3v", "C4v", "C6v"] = "none",
) -> None:
    """Follow a ring through the energies and fit a band: curves, peaks, fit and a figure.

    Writes curves.csv, dispersion.csv, with a band fit.json, and qspace.png.

    Parameters
    ----------
    file
        The result.nc of an extraction: then the curves are free of the phase of scattering and the
        peaks have errors. Or a map: then they are those of |F|, without errors.
    channel
        Channel of a map to use.
    angle
        Direction of a ray from q = 0 [degrees from x]; by default the average over all.
    width
        Width of the ray [degrees].
    band
        What to fit.
    symmetry
        The group over which the kernel is averaged first.
    q_over_k
        How many k there are to a q: 2 for scattering straight back.
    """
    from qpi_kernel.qspace import CurveSettings, TransformSettings, analyse
    from qpi_kernel.qspace.analysis import symmetric
    from qpi_kernel.qspace.report import write_analysis
    from qpi_kernel.read import read_file, select_didv
    from qpi_kernel.settings import from_dict

    low, high = q_range or (None, None)
    chosen = from_dict(
        CurveSettings,
        {
            "direction": "all" if angle is None else "ray",
            "angle_deg": angle or 0.0,
            "width_deg": width,
            "lowest_per_nm": low or None,
            "highest_per_nm": high,
            "band": band,
            "q_over_k": q_over_k,
        },
    )
    kernel, spread = _kernel_of(file)
    if kernel is not None:
        kernel = symmetric(kernel, TransformSettings(symmetry=symmetry))
        found = analyse(kernel, spread, chosen)
    elif symmetry != "none":
        raise QpiError(f"{file.name}: a map has no centre to rotate about; symmetrise a result")
    else:
        found = analyse(select_didv(read_file(file), channel), None, chosen, centred=False)
    if found.problem:
        raise QpiError(found.problem)
    write_analysis(found, out)
    say(str(found.fit) if found.fit else f"{len(found.dispersion)} energies")
    say(f"wrote {out}")


def _kernel_of(file: Path) -> "tuple[xr.DataArray | None, xr.DataArray | None]":
    """Return kernel and spread of an exported result; None for any other file."""
    import xarray as xr

    from qpi_kernel.maps import make_map

    try:
        with xr.open_dataset(file, engine="h5netcdf", decode_times=False) as stored:
            if not {"kernel", "kernel_spread"} <= set(stored):
                return None, None
            kernels = [stored[name].load() for name in ("kernel", "kernel_spread")]
    except (OSError, ValueError, KeyError):
        return None, None
    kernel, spread = (
        make_map(
            each.values,
            bias_mV=each["bias"].values,
            y_nm=each["kernel_y"].values,
            x_nm=each["kernel_x"].values,
            units=str(each.attrs.get("units", "a.u.")),
        )
        for each in kernels
    )
    return kernel, spread
