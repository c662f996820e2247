import numpy as np
import pytest

from qpi_kernel import ReadError, read_file, select_didv, select_topography
from tests.library.read.exchange_writers import hdf5_bytes

CUBE = np.arange(3 * 5 * 7, dtype=">f4").reshape(3, 5, 7)
X, Y = (np.arange(7), "nm"), (20 * np.arange(5), "angstrom")


def test_arrays_that_fit_together_are_channels(save):
    content = hdf5_bytes(
        scan__dIdV=(1e-9 * CUBE, "S"),
        scan__current=(CUBE, "nA"),
        scan__topography=(CUBE[0], "pm"),
        scan__energy=([0.01, 0.005, -0.02], "eV"),
        scan__x=X,
        y=Y,
        other=np.ones((4, 4)),
        comment=np.bytes_("someone"),
    )
    dataset = read_file(save("a.H5", content))
    assert set(dataset) == {"dIdV", "current", "topography"}
    np.testing.assert_allclose(dataset["bias"], [-20, 5, 10])
    np.testing.assert_allclose(dataset["dIdV"], CUBE[::-1], rtol=1e-6)
    np.testing.assert_allclose(dataset["current"], 1e3 * CUBE[::-1], rtol=1e-6)
    np.testing.assert_allclose(dataset["y"], 2 * np.arange(5))
    assert dataset.attrs["size_nm"] == (7, 10)
    assert dataset.attrs["notes"] == ["1 arrays of another shape were left out"]
    assert select_didv(dataset).attrs["channel"] == "dIdV"
    assert select_topography(dataset).shape == (1, 5, 7)
    assert "someone" not in str(dataset.attrs)


def test_units_may_stand_in_the_names(save):
    dataset = read_file(
        save("a.h5", hdf5_bytes(map=CUBE, bias_mV=[1.0, 2, 3], x_nm=X[0], y_nm=2 * np.arange(5)))
    )
    np.testing.assert_allclose(dataset["bias"], [1, 2, 3])
    np.testing.assert_array_equal(dataset["map"], CUBE)
    assert dataset.attrs["size_nm"] == (7, 10)


def test_an_image_without_axes_needs_a_size(save):
    path = save("a.hdf5", hdf5_bytes(image=CUBE[0]))
    with pytest.raises(ReadError, match="--size W,H"):
        read_file(path)
    assert read_file(path, size_nm=(7, 5))["image"].shape == (1, 5, 7)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"g__map": CUBE}, "expected an array bias .* found nothing else"),
        ({"map": CUBE, "bias": [1, 2, 3]}, "expected an array bias .* found bias"),
        ({"map": CUBE, "bias_mV": [1, 2]}, "with the unit V or mV and 3 values"),
        ({"curve": np.arange(5)}, r"expected an array \(bias, y, x\) or \(y, x\), found curve"),
        ({"map": 1j * CUBE}, "found no numbers"),
        ({"map": CUBE[0], "x": (np.arange(7) ** 2, "nm"), "y": Y}, "not evenly spaced"),
    ],
)
def test_arrays_that_are_no_map(save, arrays, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("a.h5", hdf5_bytes(**arrays)))
