"""Writing one map: TIFF for Fiji, .gsf for Gwyddion, netCDF and .npz for programs.

Orientation. In memory row 0 of a map has the smallest y. Pictures begin at the top, so a TIFF or
.gsf file begins with the row of the LARGEST y and shows y upwards, as figures do; readers turn it
round. netCDF and .npz files hold the arrays as they are, with their axes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
import xarray as xr

from qpi_kernel.errors import QpiError
from qpi_kernel.files import replacing
from qpi_kernel.maps import check_map, pixel_nm
from qpi_kernel.qspace import kernel_fft


class ExportError(QpiError):
    """A result or a map that cannot be written where or as the user asked."""


def write_map(didv: xr.DataArray, path: Path | str) -> Path:
    """Write one map, the format chosen by the suffix.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map or a kernel.
    path : path
        ``.tif``/``.tiff`` (float32 ImageJ stack), ``.gsf`` (one bias only), ``.nc`` (variable
        "didv") or ``.npz`` (values, x_nm, y_nm, bias_mV, units).

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ExportError
        If the suffix is none of these, a .gsf should hold several biases, or the file cannot be
        written.
    """
    path = Path(path)
    check_map(didv)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise ExportError(
            f"{path.name}: cannot write files ending in {path.suffix or 'nothing'!r};"
            f" choose one of {', '.join(_WRITERS)}"
        )
    if write is write_gsf and didv.sizes["bias"] > 1:
        raise ExportError(
            f"{path.name}: a .gsf file holds one bias, the map has {didv.sizes['bias']};"
            " select one, or write .tif or .nc"
        )
    try:
        with replacing(path) as temporary:
            write(didv, temporary)
    except OSError as error:
        raise ExportError(
            f"{path}: the map cannot be written there ({error.strerror or error})"
        ) from None
    return path


def write_tiff(didv: xr.DataArray, path: Path) -> None:
    """Write a map as a float32 ImageJ stack with pixels in nm, one page per bias."""
    _write_stack(
        didv.values,
        path,
        axes=(didv["y"].values, didv["x"].values),
        pitch=pixel_nm(didv),
        unit="nm",
        bias_mV=didv["bias"].values,
        value_units=str(didv.attrs["units"]),
    )


def write_fft_tiff(kernel: xr.DataArray, path: Path) -> None:
    """Write log10 |F| of a kernel as a float32 ImageJ stack with pixels in 1/nm."""
    fft = kernel_fft(kernel)
    magnitude = np.abs(fft.values)
    # An exact zero has no logarithm; the smallest float32 keeps such a pixel dark.
    log_power = np.log10(np.maximum(magnitude, np.finfo(np.float32).tiny)).astype(np.float32)
    qy, qx = fft["qy"].values, fft["qx"].values
    _write_stack(
        log_power,
        path,
        axes=(qy, qx),
        pitch=(float(qy[1] - qy[0]), float(qx[1] - qx[0])),
        unit="1/nm",
        bias_mV=fft["bias"].values,
        value_units=f"log10({fft.attrs['units']})",
    )


def _write_stack(
    values: npt.NDArray[np.float32],
    path: Path,
    *,
    axes: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    pitch: tuple[float, float],
    unit: str,
    bias_mV: npt.NDArray[Any],
    value_units: str,
) -> None:
    """Write (bias, y, x) as an ImageJ stack.

    With xorigin, yorigin and inverty Fiji shows our coordinates, y upwards.
    """
    y, x = axes
    finite = values[np.isfinite(values)]
    tifffile.imwrite(
        path,
        np.ascontiguousarray(values[:, ::-1, :], dtype=np.float32),
        imagej=True,
        photometric="minisblack",
        resolution=(1 / pitch[1], 1 / pitch[0]),
        metadata={
            "axes": "ZYX",
            "unit": unit,
            "Labels": [f"{bias:.10g} mV" for bias in bias_mV],
            "Info": f"units = {value_units}\n",
            "xorigin": repr(float(-x[0] / pitch[1])),
            "yorigin": repr(float(y[-1] / pitch[0])),
            "inverty": "true",
            "min": float(finite.min()) if finite.size else 0.0,
            "max": float(finite.max()) if finite.size else 1.0,
        },
    )


def write_gsf(didv: xr.DataArray, path: Path) -> None:
    """Write a map of one bias as Gwyddion Simple Field.

    Gwyddion drops the prefix of a unit ("nS" becomes S), so values in prefixed units go without
    ZUnits, unchanged, and the title names their unit. Its y axis points down: YOffset is that of
    -y.
    """
    dy, dx = pixel_nm(didv)
    units = str(didv.attrs["units"])
    header = {
        "XRes": didv.sizes["x"],
        "YRes": didv.sizes["y"],
        "XReal": repr(didv.sizes["x"] * dx * 1e-9),
        "YReal": repr(didv.sizes["y"] * dy * 1e-9),
        "XOffset": repr((float(didv["x"][0]) - dx / 2) * 1e-9),
        "YOffset": repr(-(float(didv["y"][-1]) + dy / 2) * 1e-9),
        "XYUnits": "m",
        **({"ZUnits": units} if units in {"S", "A", "V", "m"} else {}),
        "Title": f"{didv.name} at {float(didv['bias'][0]):g} mV [{units}]",
        "Units": units,
    }
    lines = (f"{key} = {' '.join(str(value).split())}\n" for key, value in header.items())
    text = "Gwyddion Simple Field 1.0\n" + "".join(lines)
    encoded = text.encode()
    rows = np.ascontiguousarray(didv.values[0, ::-1, :], dtype="<f4")
    path.write_bytes(encoded + bytes(4 - len(encoded) % 4) + rows.tobytes())


def _write_netcdf(didv: xr.DataArray, path: Path) -> None:
    coords = {dim: (dim, didv[dim].values, didv[dim].attrs) for dim in didv.dims}
    variable = (didv.dims, didv.values, plain_attrs({**didv.attrs, "long_name": str(didv.name)}))
    xr.Dataset({"didv": variable}, coords=coords).to_netcdf(path, engine="h5netcdf")


def _write_npz(didv: xr.DataArray, path: Path) -> None:
    np.savez_compressed(
        path,
        values=didv.values,
        x_nm=didv["x"].values,
        y_nm=didv["y"].values,
        bias_mV=didv["bias"].values,
        units=str(didv.attrs["units"]),
    )


def plain_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as netCDF can hold them: numbers and text, the rest as JSON."""
    return {
        str(key): value
        if isinstance(value, str | int | float) and not isinstance(value, bool)
        else to_json(value)
        for key, value in attrs.items()
        if value is not None
    }


def to_json(content: Any, indent: int | None = None) -> str:
    """Write JSON that every parser reads: numbers that are not finite become null."""
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple | np.ndarray):
        return [_finite(value) for value in content]
    if isinstance(content, np.generic):
        content = content.item()
    if isinstance(content, float) and not np.isfinite(content):
        return None
    return content


_WRITERS = {
    ".tif": write_tiff,
    ".tiff": write_tiff,
    ".gsf": write_gsf,
    ".nc": _write_netcdf,
    ".npz": _write_npz,
}
