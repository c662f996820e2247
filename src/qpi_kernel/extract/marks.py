"""Scatterers marked by the network in a map whose kernel nobody knows yet.

The finder was trained on maps of many kernels, so it knows a scatterer among ripples without
knowing its pattern. Where it marks nothing, the cores that stand out of the map are taken.
"""

import numpy as np
import torch
from skimage.feature import peak_local_max
from torch import Tensor

from qpi_kernel.extract.grids import Grid
from qpi_kernel.extract.normal_equations import normal_equations
from qpi_kernel.learn.finder import finder_input
from qpi_kernel.learn.model import Model
from qpi_kernel.locate import iter_locate
from qpi_kernel.progress import Progress, Steps
from qpi_kernel.scatterers import Scatterers

# Least probability of a mark, on maps like those of the training.
SURE = 0.35
# Of a long energy stack the slices with the clearest marks vote.
VOTING_BIASES = 8
# Two marks closer than this [px] are one.
APART_PX = 2


def iter_marks(grid: Grid, model: Model) -> Steps[Scatterers]:
    """Mark the scatterers of a map on the model grid; confidence is the probability of a mark."""
    yield Progress(0.0, "looking for scatterers")
    logits = []
    for field in _levelled(grid):
        with torch.inference_mode():
            logits.append(model.finder(finder_input(field[None], grid.mask[None]))[0])
        yield Progress(len(logits) / (len(grid.field) + 1), "looking for scatterers")
    height, width = grid.field.shape[-2:]
    stack = torch.stack(logits)[:, :height, :width]
    clear = torch.sigmoid(stack).flatten(1).topk(min(20, height * width)).values.sum(1)
    voted = stack[torch.argsort(clear)[-VOTING_BIASES:]].mean(0)
    probability = (torch.sigmoid(voted) * grid.mask).cpu().numpy()
    peaks = peak_local_max(
        probability, min_distance=APART_PX, threshold_abs=SURE, exclude_border=False
    )
    if len(peaks) == 0:
        return (yield from iter_locate(grid.didv))
    places, sure = _centred(probability, peaks), probability[tuple(peaks.T)]
    at = torch.as_tensor(places).to(grid.field)
    like = Scatterers(np.zeros((len(peaks), 2)), confidence=sure.astype(np.float64))
    return grid.from_pixels(at, torch.ones(len(peaks)), like)


def _levelled(grid: Grid) -> Tensor:
    """Take a quadratic background off, as in the training."""
    nothing = torch.zeros(0, device=grid.field.device)
    problem = normal_equations(grid.field, grid.mask, 1, nothing.reshape(0, 2), nothing, 2)
    return problem.project(problem.field)


def _centred(probability: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Return the centre of mass of each mark (row, column) [px]."""
    padded = np.pad(probability.astype(np.float64), 1)
    offsets = np.arange(-1.0, 2.0)
    result = peaks.astype(np.float64)
    for mark, (row, column) in enumerate(peaks):
        patch = padded[row : row + 3, column : column + 3]
        result[mark] += [patch.sum(1) @ offsets / patch.sum(), patch.sum(0) @ offsets / patch.sum()]
    return result
