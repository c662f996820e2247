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

    from qpi_kernel.qspace import BandFit, Dispersion


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
    symmetrise: Annotated[Literal[1, 2, 3, 4, 6], Parameter(help="Fold of the rotations.")] = 1,
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
    q_over_k
        How many k there are to a q: 2 for scattering straight back.
    """
    from qpi_kernel.qspace import fit_band, save_profile
    from qpi_kernel.qspace import symmetrise as average_over

    kernel, spread = _kernel_of(file)
    if kernel is None:
        if symmetrise != 1:
            raise QpiError(f"{file.name}: a map has no centre to rotate about; symmetrise a result")
        profile, dispersion = _of_map(file, channel, angle, q_range)
    else:
        if symmetrise != 1:
            kernel = average_over(kernel, symmetrise)
        profile, dispersion = _of_kernel(kernel, spread, angle, width, q_range)
    fit = None if band == "none" else fit_band(dispersion, band, q_over_k=q_over_k)
    try:
        out.mkdir(parents=True, exist_ok=True)
        save_profile(profile, out / "curves.csv")
        dispersion.save(out / "dispersion.csv")
        if fit is not None:
            fit.save(out / "fit.json")
        _draw(profile, dispersion, fit, out / "qspace.png")
    except OSError as error:
        raise QpiError(f"{out}: cannot be written ({error.strerror or error})") from None
    say(str(fit) if fit else f"{len(dispersion)} energies")
    say(f"wrote {out}")


def _kernel_of(file: Path) -> "tuple[xr.DataArray | None, xr.DataArray | None]":
    """Return kernel and spread of an exported result; None for any other file."""
    import xarray as xr

    from qpi_kernel.maps import make_map
    from qpi_kernel.read.netcdf import recognises

    with file.open("rb") as opened:
        if not recognises(opened.read(16)):
            return None, None
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


def _of_kernel(
    kernel: "xr.DataArray",
    spread: "xr.DataArray | None",
    angle: float | None,
    width: float,
    q_range: tuple[float, float] | None,
) -> "tuple[xr.DataArray, Dispersion]":
    from qpi_kernel.qspace import measure_dispersion, radial_profile, ray_profile

    profile = (
        radial_profile(kernel) if angle is None else ray_profile(kernel, angle, width_deg=width)
    )
    return profile, measure_dispersion(
        kernel, spread, angle_deg=angle, width_deg=width, q_range=q_range
    )


def _of_map(
    file: Path, channel: str | None, angle: float | None, q_range: tuple[float, float] | None
) -> "tuple[xr.DataArray, Dispersion]":
    import numpy as np

    from qpi_kernel.qspace import Dispersion, line_cut, map_fft, radial_average, track_peaks
    from qpi_kernel.read import read_file, select_didv

    fft = map_fft(select_didv(read_file(file), channel))
    if angle is None:
        profile = radial_average(fft)
    else:
        reach = float(min(-fft["qx"][0], -fft["qy"][0]))
        turn = np.deg2rad(angle)
        profile = line_cut(fft, (0.0, 0.0), (reach * np.cos(turn), reach * np.sin(turn)))
    found = track_peaks(profile, q_range)
    return profile, Dispersion(
        profile["bias"].values.astype(float), found, np.full(found.size, np.nan)
    )


def _draw(
    profile: "xr.DataArray", dispersion: "Dispersion", fit: "BandFit | None", path: Path
) -> None:
    from matplotlib.figure import Figure

    from qpi_kernel.files import replacing
    from qpi_kernel.qspace.plots import draw_curve, draw_image

    several = profile.sizes["bias"] > 1
    figure = Figure(figsize=(9.0 if several else 4.8, 4.0), layout="constrained", facecolor="white")
    axes = figure.subplots(1, 2 if several else 1, squeeze=False)[0]
    middle = float(profile["bias"].values[profile.sizes["bias"] // 2])
    draw_curve(axes[0], profile, middle, dispersion)
    if several:
        draw_image(axes[1], profile, dispersion, fit)
        axes[1].set_title(str(fit) if fit else "peaks of each energy", fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)
