"""Where the ring of a kernel lies along a line."""

import numpy as np


def strongest_q(line, r, expected):
    """Return the wave number within 30 % of the expected one that is strongest along a line.

    The line begins beside the scatterer; its waves fall off like 1 / r.
    """
    q = np.linspace(0.7, 1.3, 601) * expected
    window = np.sqrt(r) * np.sin(np.pi * r / r[-1]) ** 2
    return q[np.argmax(np.abs(np.exp(-1j * np.outer(q, r)) @ (line * window)))]
