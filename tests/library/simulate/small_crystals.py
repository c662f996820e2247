"""Crystals of a few hoppings, and a scatterer on a bond, that the laws are tried on."""

import numpy as np

from qpi_kernel.simulate.spin import rashba_coupling, with_spin
from qpi_kernel.simulate.tight_binding import honeycomb_lattice, square_lattice, triangular_lattice

SQUARE = square_lattice(1.0, -1.0, 0.3, -0.1)
TRIANGULAR = triangular_lattice(1.0, -1.0, 0.2)
HONEYCOMB = honeycomb_lattice(1.0, -1.0, 0.3)
RASHBA = with_spin(SQUARE, rashba_coupling(0.25))
BOND = np.array([[0.4, 0.7 - 0.2j], [0.7 + 0.2j, -1.1]])
