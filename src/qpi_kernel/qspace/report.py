"""An analysis as a folder of files, all or none."""

from pathlib import Path

from qpi_kernel.errors import QpiError
from qpi_kernel.files import filling, reason_of
from qpi_kernel.qspace.analysis import Analysis
from qpi_kernel.qspace.plots import analysis_figure
from qpi_kernel.qspace.profiles import save_profile


def write_analysis(
    found: Analysis, folder: Path | str, *, bias_mV: float | None = None
) -> list[Path]:
    """Write ``curves.csv``, ``dispersion.csv``, ``qspace.png`` and, with a band, ``fit.json``.

    Parameters
    ----------
    found : Analysis
        What `analyse` returned.
    folder : path
        Made if it is not there; files of these names are replaced, all or none.
    bias_mV : float, optional
        The energy whose curve the figure shows [mV]; by default the middle one.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    QpiError
        If the folder cannot be made or written.
    """
    folder = Path(folder)
    try:
        with filling(folder) as inside:
            save_profile(found.profile, inside / "curves.csv")
            found.dispersion.save(inside / "dispersion.csv")
            if found.fit is not None:
                found.fit.save(inside / "fit.json")
            analysis_figure(found, bias_mV).savefig(inside / "qspace.png", dpi=150)
            return [folder / file.name for file in sorted(inside.iterdir())]
    except OSError as error:
        raise QpiError(
            f"{folder}: the curves cannot be written there ({reason_of(error)});"
            " choose a folder that you may write to"
        ) from None
