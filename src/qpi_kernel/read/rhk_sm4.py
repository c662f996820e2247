"""RHK files (.sm4): images, grids of spectra and point spectra."""

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, build_spectra
from qpi_kernel.read.recording import Channel, Reader, Source
from qpi_kernel.read.rhk_pages import IMAGE, LINE, Page, read_pages

SIGNATURE = "STiMage ".encode("utf-16-le")
IV_SPECTRUM = 7
# The points of a grid lie on their lattice to a few ten-thousandths of its pitch.
OFF_THE_GRID = 0.05


def recognises(content: bytes) -> bool:
    """Tell an RHK file by its signature in UTF-16."""
    return content[2 : 2 + len(SIGNATURE)] == SIGNATURE


def read(source: Source) -> xr.Dataset:
    """Read the grid of spectra of an RHK file, or else its images, or else its point spectra.

    A negative scale means that the axis runs backwards from its offset: column 0 of most images is
    the right edge and row 0 the top. The points of a grid are placed by their recorded positions.
    Curves and rows of zeros were never measured.

    Raises
    ------
    ReadError
        If the file is damaged, or holds neither spectra nor an image.
    """
    pages = read_pages(source)
    images = [page for page in pages if page.kind == IMAGE and page.line == 0]
    curves = [page for page in pages if page.kind == LINE and page.line == IV_SPECTRUM]
    grids = [page for page in curves if min(page.grid) > 1]
    if grids:
        return _grid(source, grids, len(images))
    if images:
        return _images(source, images)
    if curves:
        return _spectra(source, curves)
    raise source.error("an image or spectra", "neither of them", "choose another file")


def _facts(page: Page, angle_deg: float) -> dict[str, float | str | None]:
    finite = np.isfinite([page.bias_V, page.current_A, angle_deg]).all()
    return {
        "angle_deg": round(angle_deg, 3) if finite else None,
        "setpoint_bias_mV": round(page.bias_V * 1e3, 3) if finite else None,
        "setpoint_current_pA": round(page.current_A * 1e12, 3) if finite else None,
        "date": page.date,
    }


def _images(source: Source, images: list[Page]) -> xr.Dataset:
    first = images[0]
    same = [
        page
        for page in images
        if (page.values.shape, page.scale) == (first.values.shape, first.scale)
    ]
    left_out = len(images) - len(same)
    ny, nx = first.values.shape
    metres = first.x_units == "m"
    size = (_length_nm(nx * abs(first.scale[0])), _length_nm(ny * abs(first.scale[1])))
    # A falling axis is turned round; where it begins is a matter of the piezo, not of the map.
    steps = [-1 if scale < 0 else 1 for scale in first.scale]
    return build_dataset(
        source,
        [
            Channel(page.name, page.values[:: steps[1], :: steps[0]], page.units or "a.u.")
            for page in same
        ],
        bias_mV=_bias_mV(first),
        size_nm=size if metres else None,
        unit_of_progress="rows",
        facts=_facts(first, first.angle_deg),
        notes=[f"{left_out} images of another size or place were left out"] if left_out else [],
    )


def _length_nm(metres: float) -> float:
    """Return a length in the digits that float32 carries."""
    return float(f"{metres * 1e9:.6g}")


def _bias_mV(page: Page) -> float | None:
    return round(page.bias_V * 1e3, 3) if np.isfinite(page.bias_V) else None


def _spectra(source: Source, curves: list[Page]) -> xr.Dataset:
    first = curves[0]
    same = [page for page in curves if _sweep(page) == _sweep(first)]
    if first.x_units != "V":
        raise source.error(
            "spectra along a bias in V", first.x_units or "no unit", "choose another file"
        )
    positions = first.positions_m
    return build_spectra(
        source,
        [Channel(page.name, page.values.T, page.units or "a.u.") for page in same],
        bias_mV=_biases_mV(first),
        xy_nm=1e9 * positions if len(positions) == len(first.values) else None,
        facts=_facts(first, first.angle_deg),
        notes=[f"{len(curves) - len(same)} pages with another sweep were left out"]
        if len(same) < len(curves)
        else [],
    )


def _sweep(page: Page) -> tuple[object, ...]:
    return page.values.shape, page.scale, page.offset


def _biases_mV(page: Page) -> npt.NDArray[np.float64]:
    biases: npt.NDArray[np.float64] = np.round(
        1e3 * (page.offset + page.scale[0] * np.arange(page.values.shape[1])), 4
    )
    return biases


def _grid(source: Source, grids: list[Page], images: int) -> xr.Dataset:
    first = grids[0]
    (nx, ny), points = first.grid, first.values.shape[1]
    same = [page for page in grids if (page.grid, _sweep(page)) == (first.grid, _sweep(first))]
    source.check_claim(4 * nx * ny * points * len(same))
    if first.x_units != "V":
        raise source.error("spectra along a bias in V", first.x_units or "no unit", "choose a map")
    x_step, y_step, steps, angle_deg = _lattice(source, first)
    channels = []
    for page in same:
        curves = np.full((ny * nx, points), np.nan, dtype=np.float32)
        present = page.values[: ny * nx]
        curves[: len(present)] = present
        cube = curves.reshape(ny, nx, points).transpose(2, 0, 1)
        channels.append(Channel(page.name, cube[:, :: steps[1], :: steps[0]], page.units or "a.u."))
    notes = []
    if images:
        notes.append(f"{images} images beside the grid were left out: save them alone to use them")
    if len(same) < len(grids):
        notes.append(f"{len(grids) - len(same)} grids of another size or sweep were left out")
    return build_dataset(
        source,
        channels,
        bias_mV=_biases_mV(first),
        size_nm=(_length_nm(nx * x_step), _length_nm(ny * y_step)),
        facts=_facts(first, angle_deg),
        notes=notes,
    )


def _lattice(source: Source, page: Page) -> tuple[float, float, tuple[int, int], float]:
    """Return the pitch along columns and rows [m], the signs of the axes, and their angle [deg]."""
    nx, ny = page.grid
    count = min(nx * ny, len(page.positions_m))
    positions = page.positions_m[:count]
    measured = np.isfinite(page.values[:count]).any(axis=1) & np.isfinite(positions).all(axis=1)
    rows, columns = np.divmod(np.arange(count)[measured], nx)
    if not rows.any() or not columns.any():
        raise source.error(
            "spectra at the points of a grid", "fewer than two rows of them", "choose a map"
        )
    design = np.column_stack([np.ones(rows.size), columns, rows])
    solution = np.linalg.lstsq(design, positions[measured], rcond=None)[0]
    along, down = solution[1], solution[2]
    pitch = (float(np.hypot(*along)), float(np.hypot(*down)))
    miss = float(np.abs(design @ solution - positions[measured]).max())
    across = abs(float(along @ down))
    if not miss <= OFF_THE_GRID * min(pitch) or across > OFF_THE_GRID * pitch[0] * pitch[1]:
        raise source.error(
            "spectra at the points of a grid", "points that form none", "choose a map"
        )
    # The axes are those that point right and up, within 90 deg of x and y of the scanner.
    steps = (1 if along[0] > 0 or (along[0] == 0 and along[1] > 0) else -1, 1)
    right = along * steps[0]
    up = np.array([-right[1], right[0]])
    steps = (steps[0], 1 if float(up @ down) > 0 else -1)
    return *pitch, steps, float(np.degrees(np.arctan2(right[1], right[0])))


READER = Reader("RHK SM4", (".sm4",), recognises, read)
