"""Functions of |q| as values in bins: spread over the frequencies of an image, averaged from them.

The bins lie at |q| = 0 ... 0.75 cycles per pixel of the model grid, which reaches beyond the corner
of its Nyquist square; between two of them a function is linear.
"""

import torch
from torch import Tensor

BINS = 25
HIGHEST_Q = 0.75


def half_plane(window: int, device: torch.device | None = None) -> Tensor:
    """Return |q| on the half plane of real transforms [cycles per pixel], (K, K // 2 + 1)."""
    rows = torch.fft.fftfreq(window, device=device)[:, None]
    columns = torch.fft.rfftfreq(window, device=device)[None, :]
    return torch.sqrt(rows**2 + columns**2)


def spread(values: Tensor, q: Tensor) -> Tensor:
    """Return a function of |q| at every q.

    Parameters
    ----------
    values : Tensor, shape (..., bins)
    q : Tensor
        |q| [cycles per model pixel].

    Returns
    -------
    Tensor, shape (..., *q.shape)
    """
    low, share = _between(q, values.shape[-1])
    return values[..., low] * (1 - share) + values[..., low + 1] * share


def gather(images: Tensor, q: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Sum images over rings of |q|, each frequency shared between its two neighbouring bins.

    Parameters
    ----------
    images : Tensor, shape (..., *q.shape)
    q : Tensor
        |q| [cycles per model pixel].
    weight : Tensor, shape of q, optional
        How often each frequency counts.

    Returns
    -------
    sums : Tensor, shape (..., bins)
    counts : Tensor, shape (bins,)
        The sums of an image of ones.
    """
    low, share = (each.flatten() for each in _between(q, BINS))
    often = torch.ones_like(share) if weight is None else weight.flatten()
    table = torch.zeros(len(low), BINS, device=q.device)
    table.scatter_(1, low[:, None], ((1 - share) * often)[:, None])
    table.scatter_add_(1, low[:, None] + 1, (share * often)[:, None])
    return images.flatten(-q.ndim) @ table, table.sum(0)


def _between(q: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    place = (q / HIGHEST_Q * (bins - 1)).clamp(max=bins - 1)
    low = place.floor().clamp(max=bins - 2).long()
    return low, place - low
