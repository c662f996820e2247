"""A map against the range that the model was trained on, before the extraction."""

from dataclasses import dataclass

import xarray as xr

from qpi_kernel.extract.grids import MODEL_WINDOW
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.locate import ripple_wavelength_nm, suggest_window_nm
from qpi_kernel.maps import pixel_nm
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.simulate.families import WAVELENGTH_PX

# Sides of the training scenes in windows; larger ones only add information.
SMALLEST_REGION = 80 / MODEL_WINDOW
# With fewer than these an extraction is judged doubtful.
FEWEST = 4
# Model pixels per scatterer in the densest training scenes: 100 scatterers on 80 x 80 px.
DENSEST = 64.0


@dataclass(frozen=True)
class Reading:
    """One quantity of a map against the range of the model.

    Parameters
    ----------
    name : str
        What was looked at.
    text : str
        Its value in words, with units.
    problem : str
        Why it is out of range, and what to do; "" if it is in range.
    """

    name: str
    text: str
    problem: str = ""


def check_validity(
    didv: xr.DataArray,
    scatterers: Scatterers | None = None,
    settings: ExtractSettings | None = None,
) -> tuple[Reading, ...]:
    """Compare a map with the range that the model was trained on, without extracting anything.

    The model sees the kernel window on 63 px, or on the pixels of the measurement if these are
    coarser; on this grid its kernels had ripples of 4.5 to 26 px.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        The prepared region of a map.
    scatterers : Scatterers, optional
        Their positions; without them nothing is said about their number.
    settings : ExtractSettings, optional
        Tells the window; by default it is the automatic one.

    Returns
    -------
    tuple of Reading
        Pixel, window, ripples, scatterers and region.

    Raises
    ------
    QpiError
        If `didv` is no map.
    """
    settings = settings or ExtractSettings()
    wavelength = ripple_wavelength_nm(didv)
    window = settings.window_nm or suggest_window_nm(didv)
    automatic = " (auto)" if settings.window_nm is None else ""
    dy, dx = pixel_nm(didv)
    pixel = max(dy, dx)
    height, width = didv.sizes["y"] * dy, didv.sizes["x"] * dx
    model_pixel = max(window / MODEL_WINDOW, pixel)
    readings = [
        Reading("Pixel", f"{pixel:.3g} nm", _pixel_problem(pixel, wavelength)),
        Reading(
            "Window",
            f"{window:.3g} nm = {window / pixel:.0f} px{automatic}",
            _window_problem(window, pixel, min(height, width)),
        ),
        Reading(
            "Ripples",
            "none seen"
            if wavelength is None
            else f"{wavelength:.3g} nm = {wavelength / model_pixel:.1f} model px",
            _ripple_problem(wavelength, window, pixel),
        ),
    ]
    if scatterers is not None:
        x, y = scatterers.xy_nm.T
        inside = (x >= didv["x"].values[0]) & (x <= didv["x"].values[-1])
        inside &= (y >= didv["y"].values[0]) & (y <= didv["y"].values[-1])
        number = int(inside.sum())
        room = height * width / model_pixel**2 / max(number, 1)
        readings.append(
            Reading("Scatterers", f"{number} in the region", _number_problem(number, room))
        )
    windows = min(height, width) / window
    problem = ""
    if windows < SMALLEST_REGION:
        problem = (
            f"the shorter side should be {SMALLEST_REGION:.1f} windows or more: enlarge the region"
            " or choose a smaller window"
        )
    text = f"{width:.3g} × {height:.3g} nm, {windows:.1f} windows"
    return (*readings, Reading("Region", text, problem))


def _pixel_problem(pixel: float, wavelength: float | None) -> str:
    least = WAVELENGTH_PX[0]
    if wavelength is None or wavelength >= least * pixel:
        return ""
    return (
        f"the ripples span only {wavelength / pixel:.1f} pixels: measure with"
        f" {wavelength / least:.2g} nm per pixel or less"
    )


def _window_problem(window: float, pixel: float, side: float) -> str:
    if window > side:
        return f"it is larger than the region: choose {side:.3g} nm or less"
    if window < 8 * pixel:
        return f"it spans fewer than 8 pixels: choose {8 * pixel:.3g} nm or more"
    return ""


def _ripple_problem(wavelength: float | None, window: float, pixel: float) -> str:
    if wavelength is None:
        return "no ripple stands out of the noise: choose another energy or a larger region"
    low, high = WAVELENGTH_PX
    seen = wavelength / max(window / MODEL_WINDOW, pixel)
    trained = f"the model knows {low:g} to {high:g} px"
    if seen > high:
        return f"{trained}: choose a window of {wavelength * MODEL_WINDOW / high:.2g} nm or more"
    if seen >= low:
        return ""
    if wavelength < low * pixel:
        return f"{trained}, and no window helps: the measurement is too coarse"
    return f"{trained}: choose a window of {wavelength * MODEL_WINDOW / low:.2g} nm or less"


def _number_problem(number: int, room: float) -> str:
    if number == 0:
        return "none lies in the region: add some or move the region"
    if number < FEWEST:
        return f"with fewer than {FEWEST} a kernel is doubtful: add some or enlarge the region"
    if room < DENSEST:
        return "they stand denser than any the model was trained on: remove false ones"
    return ""
