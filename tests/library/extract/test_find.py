import numpy as np
import pytest

from qpi_kernel.extract.find import find_scatterers
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.maps import crop
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.simulate import simulate_map


@pytest.fixture(scope="module")
def sample():
    return simulate_map(
        "cu111", bias_mV=[0.0], size_nm=24.0, pixels=144, scatterers=14, snr=10.0, seed=5
    )


def distances(found, true):
    """Return how far from each true scatterer in view the nearest found one is [nm]."""
    inside = np.all((true.xy_nm > 0) & (true.xy_nm < 24.0), axis=1)
    apart = true.xy_nm[inside][:, None] - found.xy_nm[None]
    return np.linalg.norm(apart, axis=-1).min(1)


def test_scatterers_are_found_to_a_pixel(sample):
    found = find_scatterers(sample.didv)
    away = distances(found, sample.scatterers)
    assert np.mean(away < 0.35) >= 0.9
    assert len(found) <= 1.2 * len(away)
    assert np.all((found.confidence > 0.3) & (found.confidence <= 1))


def test_sign_unit_and_offset_of_the_map_do_not_matter(sample):
    found = find_scatterers(sample.didv)
    other = sample.didv.copy(data=(5 - 1e3 * sample.didv.values).astype(np.float32))
    upside_down = find_scatterers(other)
    near = distances(upside_down, Scatterers(found.xy_nm))
    assert np.mean(near < 0.2) > 0.8


def test_positions_are_those_of_the_frame(sample):
    whole = find_scatterers(sample.didv)
    part = find_scatterers(
        crop(sample.didv, (4.0, 4.0, 24.0, 24.0)), ExtractSettings(window_nm=12.0)
    )
    deep = np.all(whole.xy_nm > 7.0, axis=1)
    apart = np.linalg.norm(whole.xy_nm[deep][:, None] - part.xy_nm[None], axis=-1).min(1)
    assert np.mean(apart < 0.2) > 0.8


def test_what_was_not_measured_holds_no_scatterers(sample):
    values = sample.didv.values.copy()
    values[:, 100:] = np.nan
    y = sample.didv["y"].values
    found = find_scatterers(sample.didv.copy(data=values))
    assert np.all(found.xy_nm[:, 1] < y[100])
