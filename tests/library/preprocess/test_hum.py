import numpy as np
import pytest

from qpi_kernel import remove_hum, simulate_map
from tests.library.preprocess.conftest import map_of

SCENE = {
    "material": "ag111",
    "bias_mV": [0.0],
    "size_nm": 40.0,
    "pixels": 128,
    "scatterers": 12,
    "snr": 20.0,
    "seed": 5,
}


def test_the_hum_of_a_simulated_scan_goes_and_its_ripples_stay():
    from qpi_kernel.simulate.nuisance import Nuisance

    clean = simulate_map(**SCENE).didv.values[0]
    humming = simulate_map(**SCENE, nuisance=Nuisance(line=2.0, pixel_s=0.0123)).didv
    # 50 Hz in pixels of 12.3 ms: 0.615 periods per pixel look like 0.385.
    calm = remove_hum(humming, 2.6).values[0]
    hum = (humming.values[0] - clean).std()
    assert (calm - clean).std() < 0.15 * hum
    untouched = remove_hum(simulate_map(**SCENE).didv, 2.6).values[0]
    assert (untouched - clean).std() < 0.1 * clean.std()


@pytest.mark.parametrize("period", [3.7, 9.2, 21.0])
def test_a_hum_of_any_phase_per_row_is_found_from_a_rough_period(period):
    rows, columns = np.mgrid[:96, :128]
    hum = np.cos(2 * np.pi * columns / period + 1.9 * rows + 0.3)
    calm = remove_hum(map_of(hum), 1.03 * period).values[0]
    assert np.abs(calm[:, 4:-4]).std() < 0.12
