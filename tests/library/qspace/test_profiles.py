import csv

import numpy as np
import pytest
import xarray as xr

from qpi_kernel.errors import QpiError
from qpi_kernel.maps import MapError
from qpi_kernel.qspace import save_profile, track_peaks

Q = np.arange(0.0, 6.0, 0.05)


def curves(rows, bias=None):
    bias = np.arange(len(rows), dtype=float) if bias is None else bias
    return xr.DataArray(
        np.array(rows), dims=("bias", "q"), coords={"bias": bias, "q": Q}, attrs={"units": "nS"}
    )


def bump(place, height=1.0):
    return height * np.exp(-(((Q - place) / 0.3) ** 2))


def test_a_maximum_between_the_samples_is_found():
    assert track_peaks(curves([bump(2.513)]))[0] == pytest.approx(2.513, abs=2e-3)


def test_a_weak_ring_that_goes_on_beats_a_strong_one_elsewhere():
    places = np.linspace(1.5, 3.0, 6)
    rows = [bump(place) + bump(5.0, 0.5) for place in places]
    rows[3] = bump(places[3], 0.7) + bump(5.0, 1.0)
    np.testing.assert_allclose(track_peaks(curves(rows)), places, atol=5e-3)
    np.testing.assert_allclose(track_peaks(curves(rows), (4.0, 5.9)), 5.0, atol=5e-3)


def test_an_energy_without_a_ring_is_nan_and_does_not_break_the_track():
    rows = [bump(2.0), 0 * Q, bump(2.2)]
    found = track_peaks(curves(rows))
    assert np.isnan(found[1])
    np.testing.assert_allclose(found[[0, 2]], [2.0, 2.2], atol=5e-3)
    assert np.isnan(track_peaks(curves([0 * Q, 0 * Q]))).all()


def test_what_is_no_set_of_curves_is_refused():
    with pytest.raises(MapError, match="is empty"):
        track_peaks(curves([bump(2.0)]), (3.0, 3.0))
    with pytest.raises(MapError, match=r"dimensions \(bias, q\)"):
        track_peaks(curves([bump(2.0)]).rename(q="r"))
    with pytest.raises(MapError, match="at least 3 values"):
        track_peaks(curves([bump(2.0)]).isel(q=slice(2)))


def test_curves_are_written_with_units_and_read_back(tmp_path):
    profile = curves([bump(2.0), bump(3.0)], bias=[-5.0, 2.5])
    save_profile(profile, tmp_path / "cut.csv")
    with (tmp_path / "cut.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["q_per_nm", "-5 mV [nS]", "2.5 mV [nS]"]
    table = np.array(rows[1:], float)
    np.testing.assert_allclose(table[:, 0], Q, rtol=1e-8)
    np.testing.assert_allclose(table[:, 1:].T, profile.values, rtol=1e-8)
    with pytest.raises(QpiError, match="cannot be written there"):
        save_profile(profile, tmp_path / "absent" / "cut.csv")
