"""Random kernels for learning: families of scatterers on bands, with every scale in pixels.

A network sees pixels, not nanometres, so a family draws its ripple wavelength, decay length and
core size in pixels of the model grid; `draw_kernel` renders one kernel. Families in `HELD_OUT` are
never trained on, nor is anything like them: they answer how a model does on physics it has not
seen. A file each holds one kind of band or scatterer.
"""

import numpy as np
import numpy.typing as npt

from qpi_kernel.simulate.families import (
    cones,
    contours,
    defects,
    lattices,
    orbitals,
    superconductors,
    surface_states,
)
from qpi_kernel.simulate.families.drawing import WAVELENGTH_PX, Family, Floats, log_uniform

__all__ = ["FAMILIES", "HELD_OUT", "TRAINED", "WAVELENGTH_PX", "draw_kernel"]

FAMILIES: dict[str, Family] = {
    "parabolic": surface_states.parabolic,
    "elliptic": surface_states.elliptic,
    "two_bands": surface_states.two_bands,
    "warped": contours.warped,
    "square": lattices.square,
    "rectangular": lattices.rectangular,
    "honeycomb": lattices.honeycomb,
    "rashba": surface_states.rashba,
    "triangular": lattices.triangular,
    "setpoint_rings": surface_states.setpoint_rings,
    "rashba_hole": surface_states.rashba_hole,
    "dirac": cones.dirac,
    "dirac_magnetic": cones.dirac_magnetic,
    "dirac_gapped": cones.dirac_gapped,
    "warped_cone": cones.warped_cone,
    "arcs": contours.arcs,
    "kp": contours.kp,
    "pockets_hexagonal": contours.pockets_hexagonal,
    "pockets_square": contours.pockets_square,
    "oblique": lattices.oblique,
    "nematic": lattices.nematic,
    "graphene": lattices.graphene,
    "kagome": lattices.kagome,
    "lieb": lattices.lieb,
    "bilayer": lattices.bilayer,
    "triangular_shells": orbitals.triangular_shells,
    "pnictide": orbitals.pnictide,
    "t2g": orbitals.t2g,
    "heavy_fermion": orbitals.heavy_fermion,
    "nodal_line": orbitals.nodal_line,
    "random_orbitals": orbitals.random_orbitals,
    "s_wave": superconductors.s_wave,
    "s_plus_minus": superconductors.s_plus_minus,
    "d_wave": superconductors.d_wave,
    "vacancy": defects.vacancy,
    "bond_disorder": defects.bond_disorder,
    "clusters": defects.clusters,
    "extended": defects.extended,
    "charged": defects.charged,
}
# Whole kinds of physics: Rashba splitting, sixfold lattices of one site, kagome, d-wave octets
# and nodal lines.
HELD_OUT = (
    "rashba",
    "rashba_hole",
    "triangular",
    "triangular_shells",
    "kagome",
    "d_wave",
    "nodal_line",
)
TRAINED = tuple(name for name in FAMILIES if name not in HELD_OUT)


def draw_kernel(family: str, rng: np.random.Generator, size: int) -> npt.NDArray[np.float32]:
    """Draw one kernel of a family, shape (size, size), scatterer at pixel size // 2, L2 norm 1."""
    axis = np.arange(size, dtype=np.float64) - size // 2
    kernel = FAMILIES[family](rng, axis)
    kernel = _blur(kernel, log_uniform(rng, 0.3, 0.9))
    norm = np.linalg.norm(kernel)
    if not np.isfinite(norm) or norm == 0:
        raise FloatingPointError(f"family {family} gave a kernel of norm {norm}")
    sign = float(rng.choice([-1.0, 1.0]))
    return (kernel / norm * sign).astype(np.float32)


def _blur(kernel: Floats, sigma_px: float) -> Floats:
    """Round the tip off: a Gaussian of sigma pixels, in reciprocal space."""
    ky = 2 * np.pi * np.fft.fftfreq(kernel.shape[0])[:, None]
    kx = 2 * np.pi * np.fft.fftfreq(kernel.shape[1])[None, :]
    transfer = np.exp(-(kx**2 + ky**2) * sigma_px**2 / 2)
    return np.asarray(np.fft.ifft2(np.fft.fft2(kernel) * transfer).real)
