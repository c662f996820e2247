"""Maps as pictures that hold values: TIFF for Fiji, .gsf for Gwyddion.

In memory row 0 of a map has the smallest y. Pictures begin at the top, so these files begin with
the row of the LARGEST y and show y upwards, as figures do; readers turn it round.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
import xarray as xr

from qpi_kernel.export.plain_values import plain_attrs
from qpi_kernel.maps import pixel_nm
from qpi_kernel.qspace import kernel_fft


def write_tiff(didv: xr.DataArray, path: Path) -> None:
    """Write a map as a float32 ImageJ stack with pixels in nm, one page per bias."""
    _write_stack(
        didv.values,
        path,
        axes=(didv["y"].values, didv["x"].values),
        pitch=pixel_nm(didv),
        unit="nm",
        bias_mV=didv["bias"].values,
        facts=picture_facts(didv, str(didv.attrs["units"])),
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
        facts=picture_facts(kernel, f"log10({fft.attrs['units']})"),
    )


def _write_stack(
    values: npt.NDArray[np.float32],
    path: Path,
    *,
    axes: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    pitch: tuple[float, float],
    unit: str,
    bias_mV: npt.NDArray[Any],
    facts: Mapping[str, str],
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
            "Info": "".join(f"{key} = {value}\n" for key, value in facts.items()),
            "xorigin": repr(float(-x[0] / pitch[1])),
            "yorigin": repr(float(y[-1] / pitch[0])),
            "inverty": "true",
            "min": float(finite.min()) if finite.size else 0.0,
            "max": float(finite.max()) if finite.size else 1.0,
        },
    )


def picture_facts(didv: xr.DataArray, units: str) -> dict[str, str]:
    """Return the unit of the values and what is known of a map, in single lines."""
    facts = {key: value for key, value in plain_attrs(didv.attrs).items() if key != "units"}
    return {"units": _one_line(units)} | {
        _one_line(key).replace(" ", "_").replace("=", "_"): _one_line(value)
        for key, value in facts.items()
    }


def _one_line(value: Any) -> str:
    """Return text without line breaks and control characters, which end a header too soon."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())


def write_gsf(didv: xr.DataArray, path: Path) -> None:
    """Write a map of one bias as Gwyddion Simple Field.

    Gwyddion drops the prefix of a unit ("nS" becomes S), so values in prefixed units go without
    ZUnits, unchanged, and the title names their unit. Its y axis points down: YOffset is that of
    -y.
    """
    dy, dx = pixel_nm(didv)
    facts = picture_facts(didv, str(didv.attrs["units"]))
    units = facts.pop("units")
    header = {
        "XRes": didv.sizes["x"],
        "YRes": didv.sizes["y"],
        "XReal": repr(didv.sizes["x"] * dx * 1e-9),
        "YReal": repr(didv.sizes["y"] * dy * 1e-9),
        "XOffset": repr((float(didv["x"][0]) - dx / 2) * 1e-9),
        "YOffset": repr(-(float(didv["y"][-1]) + dy / 2) * 1e-9),
        "XYUnits": "m",
        **({"ZUnits": units} if units in {"S", "A", "V", "m"} else {}),
        "Title": _one_line(f"{didv.name} at {float(didv['bias'][0]):.10g} mV [{units}]"),
        "Units": units,
        **facts,
    }
    lines = (f"{key} = {value}\n" for key, value in header.items())
    text = "Gwyddion Simple Field 1.0\n" + "".join(lines)
    encoded = text.encode()
    rows = np.ascontiguousarray(didv.values[0, ::-1, :], dtype="<f4")
    path.write_bytes(encoded + bytes(4 - len(encoded) % 4) + rows.tobytes())
