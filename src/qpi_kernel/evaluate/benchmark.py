"""All scenes of the benchmark, one after the other; what is done already is not done again."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from qpi_kernel.errors import QpiError
from qpi_kernel.evaluate.scenes import OVERLAPS, SNRS, draw_scene
from qpi_kernel.evaluate.trial import iter_trial
from qpi_kernel.learn.model import load_model
from qpi_kernel.progress import Progress, Steps, scaled
from qpi_kernel.settings import settings
from qpi_kernel.simulate.families import HELD_OUT


@settings
class EvaluateSettings:
    """Which scenes the methods are tried on.

    Parameters
    ----------
    scenes : int
        Scenes for each SNR and overlap; the families take turns.
    seed : int
    snrs : tuple of float
        Variance of the ripples, cores cut out, over that of the white noise.
    overlaps : tuple of str
        Of low, medium and high: how many kernel windows lie over each other.
    families : tuple of str, optional
        Families of kernels; by default those held out that the model was not trained on.
    model : str, optional
        Model file; the shipped one by default.
    """

    scenes: Annotated[int, Field(ge=1)] = 23
    seed: Annotated[int, Field(ge=0)] = 11
    snrs: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = SNRS
    overlaps: Annotated[tuple[str, ...], Field(min_length=1)] = tuple(OVERLAPS)
    families: tuple[str, ...] | None = None
    model: str | None = None


def iter_evaluate(recipe: EvaluateSettings, folder: Path | str) -> Steps[list[dict[str, Any]]]:
    """Let every method try every scene.

    Each scene is a line of `folder`/scenes-MODEL-SEED.jsonl, MODEL the beginning of the sha256 of
    the model; a call on the same folder goes on where the last one stopped.

    Returns
    -------
    Steps of list of dict
        One for each scene: ``family``, ``snr``, ``overlap``, ``number``, ``scatterers`` and
        ``methods``, what `iter_trial` returns.

    Raises
    ------
    QpiError
        If an overlap is unknown, there is no unseen family or the folder cannot be written.
    """
    unknown = [name for name in recipe.overlaps if name not in OVERLAPS]
    if unknown:
        raise QpiError(f"unknown overlap {unknown[0]!r}; known: {', '.join(OVERLAPS)}")
    model = load_model(recipe.model)
    families = recipe.families or tuple(f for f in HELD_OUT if f not in model.card["families"])
    if not families:
        raise QpiError(f"model {model.card['name']} was trained on every family; name some to try")
    file = Path(folder) / f"scenes-{model.sha256[:8]}-{recipe.seed}.jsonl"
    known = _read(file)
    cells = [(snr, overlap) for snr in recipe.snrs for overlap in recipe.overlaps]
    rows: list[dict[str, Any]] = []
    total = recipe.scenes * len(cells)
    # Cell by cell within a number, so that a run that is cut leaves all cells equally full.
    for number in range(recipe.scenes):
        for snr, overlap in cells:
            family = families[number % len(families)]
            key = (family, snr, overlap, number)
            if key not in known:
                start = len(rows) / total
                yield Progress(start, f"{family}, SNR {snr:g}, {overlap} overlap")
                seed = (recipe.seed, number, round(1000 * snr), tuple(OVERLAPS).index(overlap))
                scene = draw_scene(family, snr, overlap, seed)
                trial = iter_trial(scene, number, recipe.model)
                known[key] = {
                    "family": family, "snr": snr, "overlap": overlap, "number": number,
                    "scatterers": len(scene.true),
                    "methods": (yield from scaled(trial, start, start + 1 / total)),
                }  # fmt: skip
                _append(file, known[key])
            rows.append(known[key])
    return rows


def _read(file: Path) -> dict[tuple[str, float, str, int], dict[str, Any]]:
    """Return the scenes of a file by what identifies them; a line cut short does not count."""
    rows = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            row = json.loads(line)
            rows[row["family"], row["snr"], row["overlap"], row["number"]] = row
        except (json.JSONDecodeError, KeyError, TypeError):
            continue
    return rows


def _append(file: Path, row: dict[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
    except OSError as error:
        raise QpiError(f"{file}: the scenes cannot be written ({error})") from None
