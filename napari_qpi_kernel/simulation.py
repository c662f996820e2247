"""What the dock "Simulate" asks of the library, and its answers as layers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_qpi_kernel.bridge import LayerData, map_to_layer, scatterers_to_layer
from napari_qpi_kernel.contrast import about_zero
from napari_qpi_kernel.preferences import preferences
from napari_qpi_kernel.result_layers import GAP, RING_SHARE
from qpi_kernel.progress import Progress, Steps, scaled

if TYPE_CHECKING:
    from qpi_kernel.qspace import TheoryFit
    from qpi_kernel.simulate import SimulatedMap, SimulateSettings

WINDOW_SHARE = 1 / 3  # side of the true kernel's window, as a share of the map's width


def iter_simulation(settings: "SimulateSettings") -> Steps[list[LayerData]]:
    """Simulate a map; return it with the true kernel and the true scatterers as layers."""
    yield Progress(0.0, "starting")
    from qpi_kernel.simulate import iter_simulate_map

    steps = iter_simulate_map(
        settings.material,
        bias_mV=settings.biases_mV,
        size_nm=settings.size_nm,
        pixels=settings.pixels,
        scatterers=settings.scatterers,
        snr=settings.snr,
        seed=settings.seed,
        nuisance=settings.realism,
        species=(settings.scatterer,),
        temperature_K=settings.temperature_K,
        modulation_mV=settings.modulation_mV,
    )
    truth = yield from scaled(steps, 0.0, 0.98)
    return truth_layers(truth, settings.material, WINDOW_SHARE * settings.size_nm)


def iter_theory_over(
    arguments: Mapping[str, Any], settings: "SimulateSettings"
) -> Steps["TheoryFit"]:
    """Simulate the material of the settings on the grid and at the energies of a kernel."""
    yield Progress(0.0, "starting")
    from qpi_kernel.maps import make_map
    from qpi_kernel.qspace import iter_theory

    return (
        yield from iter_theory(
            make_map(**arguments),
            settings.material,
            scatterer=settings.scatterer,
            temperature_K=settings.temperature_K,
            modulation_mV=settings.modulation_mV,
        )
    )


def truth_layers(truth: "SimulatedMap", name: str, window_nm: float) -> list[LayerData]:
    """Return a simulated map, and hidden or beside it what an extraction should find.

    Parameters
    ----------
    truth : SimulatedMap
        What the library simulated.
    name : str
        Name of the map; the others begin with it.
    window_nm : float
        Side of the window of the true kernel [nm].
    """
    from qpi_kernel.simulate import crop_kernel

    kernel = crop_kernel(truth.kernel, window_nm)
    y, x = truth.didv["y"].values, truth.didv["x"].values
    width = float(x[-1] - x[0])
    offset = (
        float(y[-1] - kernel["y"].values[-1]),
        float(x[-1] - kernel["x"].values[0]) + GAP * width,
    )
    points = scatterers_to_layer(truth.scatterers, f"{name} [true scatterers]", width * RING_SHARE)
    points[1]["border_color"] = "cyan"
    points[1]["visible"] = False
    return [
        map_to_layer(truth.didv, name),
        map_to_layer(
            kernel,
            f"{name} [true kernel]",
            kind="kernel",
            offset_nm=offset,
            facts={"of": name},
            colormap=preferences().colormap,
            contrast_limits=about_zero(kernel.values),
        ),
        points,
    ]


def theory_layers(
    fit: "TheoryFit", name: str, place_nm: tuple[float, float], facts: Mapping[str, Any]
) -> list[LayerData]:
    """Return theory and difference side by side, on the colour range of the kernel.

    Parameters
    ----------
    fit : TheoryFit
        What the library compared.
    name : str
        Name of the layer of the kernel.
    place_nm : (y, x)
        Lower left corner of the free space for them [nm].
    facts : mapping
        Further metadata: what was simulated.
    """
    y0, x0 = (float(fit.kernel[dim].values[0]) for dim in ("y", "x"))
    step = (1 + GAP) * (float(fit.kernel["x"].values[-1]) - x0)
    limits = about_zero(fit.kernel.values)
    return [
        map_to_layer(
            field,
            f"{name} [{kind}]",
            kind="kernel",
            offset_nm=(place_nm[0] - y0, place_nm[1] - x0 + column * step),
            facts=facts,
            colormap=preferences().colormap,
            contrast_limits=limits,
        )
        for column, (kind, field) in enumerate(
            (("theory", fit.theory), ("difference", fit.difference))
        )
    ]
