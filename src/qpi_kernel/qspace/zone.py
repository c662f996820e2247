"""The reciprocal lattice and the Brillouin zone, to lay over a transform."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial import Voronoi

from qpi_kernel.errors import QpiError

Array = npt.NDArray[np.floating[Any]]


def reciprocal_lattice(
    a_nm: float, b_nm: float | None = None, *, between_deg: float = 90.0, rotation_deg: float = 0.0
) -> Array:
    """Return the reciprocal lattice vectors, b_i . a_j = 2 pi delta_ij.

    Parameters
    ----------
    a_nm, b_nm : float
        Lattice constants [nm]; b is a if not given.
    between_deg : float
        Angle from a to b [degrees]: 90 for a square, 60 or 120 for a triangular lattice.
    rotation_deg : float
        Angle from x to a [degrees].

    Returns
    -------
    array, shape (2, 2)
        One vector (qx, qy) a row [1/nm].

    Raises
    ------
    QpiError
        If a length is not positive, or a and b are parallel.

    Examples
    --------
    >>> (reciprocal_lattice(0.25).round(3) + 0.0).tolist()
    [[25.133, 0.0], [0.0, 25.133]]
    """
    lengths = np.array([a_nm, a_nm if b_nm is None else b_nm], dtype=float)
    angles = np.deg2rad([rotation_deg, rotation_deg + between_deg])
    real = lengths[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    if not (np.all(np.isfinite(real)) and np.all(lengths > 0)):
        raise QpiError(f"the lattice constants must be positive, got {lengths[0]} and {lengths[1]}")
    if abs(np.sin(angles[1] - angles[0])) < 1e-3:
        raise QpiError(f"{between_deg:g} degrees between a and b make no lattice")
    vectors = 2 * np.pi * np.linalg.inv(real).T
    # -0.0 would be printed.
    return np.asarray(vectors + 0.0)


def brillouin_zone(reciprocal: Array) -> Array:
    """Return the corners of the first Brillouin zone: the q nearer to 0 than to any other point.

    Parameters
    ----------
    reciprocal : array, shape (2, 2)
        From `reciprocal_lattice` [1/nm].

    Returns
    -------
    array, shape (4 or 6, 2)
        Corners (qx, qy) [1/nm], counter-clockwise.
    """
    b1, b2 = np.asarray(reciprocal, dtype=float)
    # The shortest two vectors of the lattice: with those, the neighbours are the next points.
    while True:
        if b1 @ b1 > b2 @ b2:
            b1, b2 = b2, b1
        shift = np.rint((b1 @ b2) / (b1 @ b1))
        if not shift:
            break
        b2 = b2 - shift * b1
    counts = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)])
    cells = Voronoi(counts @ np.array([b1, b2]))
    origin = int(np.flatnonzero((counts == 0).all(1))[0])
    corners = cells.vertices[cells.regions[cells.point_region[origin]]]
    return np.asarray(corners[np.argsort(np.arctan2(corners[:, 1], corners[:, 0]))])


def lattice_of(
    peaks: npt.ArrayLike, symmetry: Literal["square", "hexagonal"]
) -> tuple[float, float]:
    """Return the lattice that first-order Bragg peaks stand for.

    Parameters
    ----------
    peaks : array_like, shape (n, 2)
        (qx, qy) [1/nm].
    symmetry : {"square", "hexagonal"}

    Returns
    -------
    constant : float
        2 pi / |q|, or 4 pi / (sqrt 3 |q|); |q| is the mean over the peaks [nm].
    rotation : float
        Direction of a lattice vector, from x towards y [degrees], -45 to 45 or 0 to 60.

    Raises
    ------
    QpiError
        If there are no peaks, or one lies at 0.
    """
    q = np.asarray(peaks, dtype=float).reshape(-1, 2)
    lengths = np.linalg.norm(q, axis=1)
    if not lengths.size or not np.all(lengths > 0):
        raise QpiError("a lattice needs Bragg peaks away from q = 0")
    fold, height, aside = (4, 1.0, 0.0) if symmetry == "square" else (6, np.sqrt(3) / 2, 30.0)
    mean = np.mean(np.exp(1j * fold * np.arctan2(q[:, 1], q[:, 0])))
    constant = 2 * np.pi / height / lengths.mean()
    return float(constant), float(np.rad2deg(np.angle(mean)) / fold + aside)
