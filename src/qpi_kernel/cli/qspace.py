"""The command `qspace`: curves, E(q), peaks and a band from a result or a map."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from qpi_kernel.cli.arguments import Out, QRange
from qpi_kernel.cli.running import say
from qpi_kernel.errors import QpiError


def qspace(
    file: Path,
    /,
    *,
    out: Out,
    channel: str | None = None,
    species: int | None = None,
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
        The folder of a result, or its result.nc: then the curves are free of the phase of
        scattering and the peaks have errors. Or a map: then they are those of |F|, without errors.
    channel
        Channel of a map to use.
    species
        Label of the scatterers whose kernel to use, of a result that holds several.
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
    from qpi_kernel.export.stored import load_kernel
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
    stored = load_kernel(file, species)
    if stored is not None:
        kernel, spread = stored
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
