"""Are the scatterers of one kind? Species proposed from what a common kernel leaves over.

Where one kernel serves two kinds of scatterers, the residual around each of them is half the
difference of the two kernels, with one sign or the other. Amplitude and shift are projected out,
since weights and positions are free. The coordinate of a residual along the direction that the
OTHER residuals have in common then falls into several heaps, or into one: a mixture of
normal distributions must be better than one by more than its parameters cost (Bayesian information
criterion; Schwarz, Ann. Stat. 6, 461 (1978)).
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from qpi_kernel.extract.grids import Grid, make_grids
from qpi_kernel.extract.prior import flat_prior
from qpi_kernel.extract.rounds import State, fit_kernel, iter_rounds
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.extract.surroundings import Surroundings, look_around
from qpi_kernel.learn.model import Model
from qpi_kernel.locate import suggest_window_nm
from qpi_kernel.progress import Steps, drain, scaled
from qpi_kernel.scatterers import Scatterers

Floats = npt.NDArray[np.float64]

# Strong evidence on the scale of Kass and Raftery, J. Am. Stat. Assoc. 90, 773 (1995).
STRONG = 6.0
FEWEST = 3


def propose_species(
    didv: xr.DataArray,
    scatterers: Scatterers,
    max_species: int = 4,
    settings: ExtractSettings | None = None,
) -> Scatterers:
    """Label scatterers by kind, as far as their surroundings tell kinds apart.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        The map.
    scatterers : Scatterers
        Their positions; labels they have are kept apart and may be split further.
    max_species : int
        At most so many.
    settings : ExtractSettings, optional
        Window and background.

    Returns
    -------
    Scatterers
        The same with species 0, 1, ..., the most frequent first; one species where nothing speaks
        for more. Scatterers too near to the border to be told apart count to the most frequent.

    Raises
    ------
    QpiError
        If the map or the window do not allow an extraction.
    """
    settings = settings or ExtractSettings()
    window_nm = settings.window_nm or suggest_window_nm(didv)
    _, coarse = make_grids(didv, window_nm, torch.device("cpu"))
    return drain(iter_propose(coarse, scatterers, max_species, settings.background_degree))


def iter_propose(
    grid: Grid, scatterers: Scatterers, max_species: int, background_degree: int
) -> Steps[Scatterers]:
    """Propose species on the model grid, step by step; see `propose_species`."""
    species = np.searchsorted(scatterers.labels, scatterers.species)
    while (number := int(species.max()) + 1) < max_species:
        some = Scatterers(scatterers.xy_nm, scatterers.weight, species)
        problem = grid.problem(some, background_degree)
        noise = grid.white
        steps = fit_kernel(problem, flat_prior(problem), noise, torch.Generator().manual_seed(0))
        kernel, *_ = yield from scaled(steps, (number - 1) / max_species, number / max_species)
        found = look_around(problem, kernel, noise)
        left = _unexplained(found)
        best, split = STRONG, species
        for label in range(number):
            own = np.flatnonzero((species == label) & found.seen)
            if len(own) >= 2 * FEWEST:
                evidence, heap = _heaps(_coordinates(left[own]), max_species - number + 1)
                if evidence > best:
                    best, split = evidence, species.copy()
                    split[own] = np.where(heap > 0, number - 1 + heap, label)
        if split is species:
            break
        species = split
    frequent = np.argsort(-np.bincount(species), kind="stable")
    return Scatterers(
        scatterers.xy_nm, scatterers.weight, np.argsort(frequent)[species], scatterers.confidence
    )


def iter_tell_apart(
    grid: Grid,
    state: State,
    settings: ExtractSettings,
    model: Model | None,
    generator: torch.Generator,
) -> Steps[State]:
    """Go on from a common kernel to one per species, if the scatterers are of several."""
    steps = iter_propose(grid, state.scatterers, settings.max_species, settings.background_degree)
    labelled = yield from scaled(steps, 0.0, 0.2)
    if len(labelled.labels) == len(state.scatterers.labels):
        return state
    rounds = iter_rounds(grid, labelled, settings, model, False, generator)
    return replace((yield from scaled(rounds, 0.2, 1.0)), marking_px=state.marking_px)


def _unexplained(found: Surroundings) -> Floats:
    """Return the residual around each scatterer less what weight and position could explain."""
    left = found.left.copy()
    for label, (kernel, slopes) in enumerate(zip(found.kernels, found.slopes, strict=True)):
        free = np.linalg.qr(np.vstack([kernel, slopes]).T)[0]
        own = found.species == label
        left[own] -= left[own] @ free @ free.T
    return left


def _coordinates(left: Floats) -> Floats:
    """Return the coordinate of each residual along the main direction of all the others.

    Its own noise would else pull the direction towards itself and make heaps of nothing.
    """
    gram = left @ left.T
    count = len(gram)
    centred = np.eye(count) - 1 / count
    whole = np.linalg.eigh(centred @ gram @ centred)[1][:, -1]
    middle = np.eye(count - 1) - 1 / (count - 1)
    places = np.empty(count)
    for number in range(count):
        others = np.arange(count) != number
        inner = gram[np.ix_(others, others)]
        values, vectors = np.linalg.eigh(middle @ inner @ middle)
        direction = middle @ vectors[:, -1]
        sign = 1.0 if direction @ whole[others] >= 0 else -1.0
        reach = direction @ (gram[others, number] - inner.mean(axis=1))
        places[number] = sign * reach / np.sqrt(max(values[-1], 1e-12))
    return places


def _heaps(places: Floats, most: int) -> tuple[float, npt.NDArray[np.int64]]:
    """Return by how much several heaps are better than one (difference of the BIC), and each's."""
    x = (places - places.mean()) / max(places.std(), 1e-12)
    best, label = -np.inf, np.zeros(len(x), np.int64)
    for number in range(2, most + 1):
        # From evenly filled heaps, and from those that lie farthest apart.
        even = np.quantile(x, (np.arange(number) + 0.5) / number)
        far = [x.min()]
        for _ in range(number - 1):
            far.append(x[np.argmax(np.abs(x[:, None] - far).min(axis=1))])
        for start in (even, np.array(far)):
            likelihood, found = _mixture(x, start)
            # A mean and a share are two parameters more for each heap.
            gain = likelihood + len(x) - 2 * (number - 1) * np.log(len(x))
            if gain > best and np.bincount(found, minlength=number).min() >= FEWEST:
                best, label = gain, found
    return best, label


def _mixture(x: Floats, means: Floats) -> tuple[float, npt.NDArray[np.int64]]:
    """Fit heaps of one width by expectation maximisation: twice the log likelihood, each's heap."""
    count, number = len(x), len(means)
    shares, variance = np.full(number, 1 / number), 1 / number**2
    for _ in range(100):
        log = np.log(shares) - 0.5 * (x[:, None] - means) ** 2 / variance - 0.5 * np.log(variance)
        total = np.logaddexp.reduce(log, axis=1)
        belongs = np.exp(log - total[:, None])
        shares = (belongs.sum(axis=0) + 1) / (count + number)
        means = (belongs * x[:, None]).sum(axis=0) / belongs.sum(axis=0).clip(1e-9)
        # Two equal residuals must not make a heap of no width.
        variance = max(float((belongs * (x[:, None] - means) ** 2).sum() / count), 0.02)
    return 2 * float(total.sum()), belongs.argmax(axis=1)
