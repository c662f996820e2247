"""Maps under File > Open Sample > QPI Kernel: simulated with the truth beside them, and real ones.

The real ones are measurements of others, published under the MIT licence. They are not part of the
package: each is fetched once, from the commit named here, and checked by its sha256.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import napari
import numpy as np
import platformdirs

from napari_qpi_kernel.bridge import LayerData, show_y_up
from napari_qpi_kernel.reader import read_layers
from napari_qpi_kernel.simulation import truth_layers
from qpi_kernel.errors import QpiError
from qpi_kernel.files import replacing

PATIENCE_S = 30
# No file of a sample is larger; a server must not fill the disk.
MOST_BYTES = 2**24


@dataclass(frozen=True)
class Remote:
    """A measurement that others have published, by its address and the sha256 of its bytes."""

    url: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where it is kept, in the cache folder of the user."""
        return platformdirs.user_cache_path("napari-qpi-kernel") / self.url.rsplit("/", 1)[1]

    def fetch(self) -> Path:
        """Return the file, fetched unless it is there already.

        Raises
        ------
        QpiError
            If it cannot be fetched, or is not the file that is meant.
        """
        if self.path.is_file() and self._is_meant(self.path.read_bytes()):
            return self.path
        try:
            with urlopen(self.url, timeout=PATIENCE_S) as answer:
                content = answer.read(MOST_BYTES)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._is_meant(content):
                with replacing(self.path) as temporary:
                    temporary.write_bytes(content)
                return self.path
        except OSError as error:
            raise QpiError(
                f"{self.url} cannot be fetched ({error}); put the file into {self.path.parent}"
            ) from None
        raise QpiError(f"{self.url}: not the file that is meant (its sha256 differs)")

    def _is_meant(self, content: bytes) -> bool:
        return hashlib.sha256(content).hexdigest() == self.sha256


# Topograph +100 mV, 100 pA, 21.5 nm: MIT, (c) 2020 Chen Xu.
CU111 = Remote(
    "https://raw.githubusercontent.com/chenxu2394/py_createc/"
    "91125c48362a0785db34671171bc10012761539a/examples/sample_data/A200621.160730.dat",
    "60b497854e8b511048397bded84d9a69e6357ad16a588780485fe1eef4a75faa",
)
# Z and lock-in at +45 mV, 20 nm: MIT, (c) 2020 Harris Pirie.
FESE = Remote(
    "https://raw.githubusercontent.com/hoffmanlabcoding/stmpy/"
    "92cad70699f680e2bc2375de8ea3ac91439339dc/stmpy/doc/tutorial_materials/FeSe_topography.sxm",
    "674f6edac9e458c6ccc9b2b11595c480a7d580a13c0ebde3b5607b39cadef9a5",
)


def ag111() -> list[LayerData]:
    """Simulate the surface state of Ag(111) at the Fermi level, 50 nm wide."""
    return _simulated(
        "Ag(111)", "ag111", [0.0], size_nm=50.0, pixels=192, scatterers=18, seed=3, window_nm=16.0
    )


def square_lattice() -> list[LayerData]:
    """Simulate a band of a square lattice at seven energies, 30 nm wide."""
    biases_mV = np.linspace(-360.0, -240.0, 7).tolist()
    return _simulated(
        "Square lattice", "square", biases_mV, size_nm=30.0, pixels=160, scatterers=14, seed=5,
        window_nm=8.0,
    )  # fmt: skip


def d_wave() -> list[LayerData]:
    """Simulate a d-wave superconductor at nine energies in pairs of +E and -E, 24 nm wide."""
    biases_mV = np.linspace(-20.0, 20.0, 9).tolist()
    return _simulated(
        "d-wave", "bi2212-sc", biases_mV, size_nm=24.0, pixels=128, scatterers=8, seed=5,
        window_nm=10.0,
    )  # fmt: skip


def cu111() -> list[LayerData]:
    """Fetch and open a topograph of Cu(111) with some twenty scatterers."""
    return read_layers(str(CU111.fetch()))


def fese() -> list[LayerData]:
    """Fetch and open topograph and dI/dV of FeSe."""
    return read_layers(str(FESE.fetch()))


def _simulated(
    name: str, material: str, bias_mV: list[float], *, window_nm: float, **scene: Any
) -> list[LayerData]:
    """Simulate a map with its truth, and turn the viewer that opens it."""
    from qpi_kernel.simulate import simulate_map

    truth = simulate_map(material, bias_mV=bias_mV, snr=10.0, **scene)
    viewer = napari.current_viewer()
    if viewer is not None:
        show_y_up(viewer)
    return truth_layers(truth, name, window_nm=window_nm)
