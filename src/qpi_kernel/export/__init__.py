"""Writing a result as a folder of files, all or none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel import __version__
from qpi_kernel.assessment import Assessment
from qpi_kernel.export.formats import ExportError, write_dataset, write_map
from qpi_kernel.export.methods import methods_text
from qpi_kernel.export.pictures import write_fft_tiff, write_gsf, write_tiff
from qpi_kernel.export.plain_values import plain_attrs, to_json
from qpi_kernel.export.stored import load_kernel, load_result
from qpi_kernel.extract.result import Extraction
from qpi_kernel.figures import result_figure
from qpi_kernel.files import filling, reason_of
from qpi_kernel.qspace import kernel_fft
from qpi_kernel.scatterers import save_scatterers
from qpi_kernel.settings import to_dict

__all__ = [
    "ExportError",
    "export_result",
    "load_kernel",
    "load_result",
    "methods_text",
    "write_map",
]


def export_result(
    result: Extraction,
    folder: Path | str,
    assessment: Assessment | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write a result as a folder of files.

    ``kernel.tif``, ``kernel_spread.tif``, ``reconstruction.tif``, ``residual.tif`` (unit of the
    map, pixels in nm) and ``kernel_fft.tif`` (log10 |F|, pixels in 1/nm) are float32 ImageJ
    stacks with one page per bias; ``kernel.gsf`` (``kernel_<bias>mV.gsf`` for several biases) is
    for Gwyddion; ``result.nc`` holds everything, calibrated; beside them ``scatterers.csv``,
    ``assessment.json``, ``recipe.json``, ``methods.txt`` and ``figure.png``. Of several species
    each has kernel and figure files of its own, which end in its label (``_species_1``).

    Parameters
    ----------
    result : Extraction
        What an extraction returned.
    folder : path
        Made if it is not there; files of these names are replaced, all or none. Even after a kill
        a folder with a ``recipe.json`` is whole.
    assessment : Assessment, optional
        The verdict on the result; "not assessed" is written without one.
    recipe : mapping, optional
        JSON-able: how to repeat the extraction; by default its settings, the file and sha256 of the
        measurement and the provenance of the result.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ExportError
        If the folder cannot be made or written.
    """
    folder = Path(folder)
    biases = result.kernel["bias"].values
    if not recipe:
        facts = result.didv.attrs
        measured = {"file": facts.get("source"), "sha256": facts.get("sha256")}
        recipe = {"settings": to_dict(result.settings), "input": measured, **result.provenance}
    recipe = dict(recipe)
    judged = {
        "verdict": assessment.verdict if assessment else "not assessed",
        # An assessment made by hand may judge no slices.
        "slices": dict(zip(_bias_names(biases), assessment.slices, strict=False))
        if assessment
        else {},
        "reasons": list(assessment.reasons) if assessment else [],
        "numbers": dict(assessment.numbers) if assessment else {},
    }
    try:
        with filling(folder, seal="recipe.json") as temporary:
            _write_all(result, temporary, assessment, judged, recipe)
            written = [folder / file.name for file in sorted(temporary.iterdir())]
    except OSError as error:
        raise ExportError(
            f"{folder}: the result cannot be written there ({reason_of(error)});"
            " choose a folder that you may write to"
        ) from None
    return written


def _write_all(
    result: Extraction,
    folder: Path,
    assessment: Assessment | None,
    judged: dict[str, Any],
    recipe: dict[str, Any],
) -> None:
    write_tiff(result.reconstruction, folder / "reconstruction.tif")
    # Without a name the residual, as large as the map, is given up at once.
    write_tiff(result.residual, folder / "residual.tif")
    biases = result.kernel["bias"].values
    for ending, part in zip(_endings(result), result.each_species, strict=True):
        write_tiff(part.kernel, folder / f"kernel{ending}.tif")
        write_tiff(part.spread, folder / f"kernel_spread{ending}.tif")
        write_fft_tiff(part.kernel, folder / f"kernel_fft{ending}.tif")
        for index, label in enumerate(_bias_names(biases)):
            name = f"kernel{ending}.gsf" if biases.size == 1 else f"kernel{ending}_{label}.gsf"
            write_gsf(part.kernel.isel(bias=slice(index, index + 1)), folder / name)
        result_figure(part, assessment).savefig(folder / f"figure{ending}.png", dpi=150)
    write_dataset(_dataset(result, judged, recipe), folder / "result.nc")
    save_scatterers(result.scatterers, folder / "scatterers.csv")
    for name, content in (("assessment.json", judged), ("recipe.json", recipe)):
        (folder / name).write_text(to_json(content, indent=2) + "\n", encoding="utf-8")
    (folder / "methods.txt").write_text(methods_text(result, assessment), encoding="utf-8")


def _endings(result: Extraction) -> list[str]:
    """Return what tells the files of several species apart; those of one have no ending."""
    return [
        f"_species_{part.scatterers.labels[0]}" if result.parts else ""
        for part in result.each_species
    ]


def _dataset(result: Extraction, judged: dict[str, Any], recipe: dict[str, Any]) -> xr.Dataset:
    """Gather everything on calibrated axes; the kernel has axes of its own, centred on 0."""
    own = {"y": "kernel_y", "x": "kernel_x"}
    measured = np.isfinite(result.didv.values).all(axis=0)
    used = measured if result.used is None else result.used
    kernels: dict[str, xr.DataArray] = {}
    ffts: dict[str, xr.DataArray] = {}
    for ending, part in zip(_endings(result), result.each_species, strict=True):
        kernels |= {f"kernel{ending}": part.kernel, f"kernel_spread{ending}": part.spread}
        kernels |= {} if part.prior is None else {f"kernel_prior{ending}": part.prior}
        fft = kernel_fft(part.kernel)
        ffts |= {f"kernel_fft_re{ending}": fft.real, f"kernel_fft_im{ending}": fft.imag}
    columns = {
        "x_nm": (result.scatterers.xy_nm[:, 0], "nm"),
        "y_nm": (result.scatterers.xy_nm[:, 1], "nm"),
        "weight": (result.scatterers.weight, "1"),
        "species": (result.scatterers.species, "1"),
        "confidence": (result.scatterers.confidence, "1"),
    }
    fields: dict[str, Any] = {
        "didv": result.didv,
        "reconstruction": result.reconstruction,
        "residual": result.residual,
        "background": result.background,
        **{name: field.rename(own) for name, field in kernels.items()},
        **ffts,
        "used": (("y", "x"), used.astype(np.int8), {"long_name": "1 where the fit used the map"}),
        "noise": ("bias", result.noise, {"units": result.didv.attrs["units"]}),
        **{
            f"scatterer_{name}": ("scatterer", values, {"units": unit})
            for name, (values, unit) in columns.items()
        },
    }
    plain = {}
    # The grids agree by construction, but axes 1e-9 nm apart would be aligned to nothing.
    like = {dim: result.didv[dim] for dim in ("bias", "y", "x")}
    like |= {new: result.kernel[old].rename({old: new}) for old, new in own.items()}
    for name, field in fields.items():
        if isinstance(field, xr.DataArray):
            attrs = fft.attrs if name.startswith("kernel_fft") else field.attrs
            plain[name] = (field.dims, field.values, plain_attrs(attrs))
        else:
            plain[name] = field
    like |= {dim: fft[dim] for dim in ("qy", "qx")}
    return xr.Dataset(
        plain,
        coords={dim: (dim, axis.values, axis.attrs) for dim, axis in like.items()},
        attrs={
            "title": "single-scatterer QPI kernel",
            "fft": "F(q) = sum f(r) exp(-i q.r) dx dy, q = 2 pi / wavelength, r = 0 the scatterer",
            "source": f"qpi-kernel {__version__}",
            "recipe": to_json(recipe),
            "assessment": to_json(judged),
            "numbers": to_json({name: list(values) for name, values in result.numbers.items()}),
        },
    )


def _bias_names(bias_mV: npt.NDArray[Any]) -> list[str]:
    names = [f"{bias:.6g}mV" for bias in bias_mV]
    if len(set(names)) < len(names):
        names = [f"{index:03d}_{name}" for index, name in enumerate(names)]
    return names
