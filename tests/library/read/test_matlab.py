import numpy as np
import pytest
import scipy.io

from qpi_kernel import ReadError, read_file, select_didv, select_topography

VERSIONS = pytest.mark.parametrize("version", ["5", "6", "7.3"])
CUBE = np.arange(6 * 6 * 3, dtype=float).reshape(6, 6, 3)
CUBE[0, -1, 0] = 1000
R = np.linspace(0, 100, 6)
E = np.array([0.01, 0.005, -0.02])


@VERSIONS
def test_davis_structs(save, mat, version):
    content = mat(
        version,
        obj_note={"text": np.array([1.0, 2.0])},
        T={"map": 2 * CUBE[:, :, 0], "r": R},
        G={"map": CUBE, "e": E, "r": R, "ave": np.ones(3)},
    )
    dataset = read_file(save("a.MAT", content))
    assert set(dataset) == {"topography (T)", "dI/dV (G)"}
    np.testing.assert_allclose(dataset["bias"], [-20, 5, 10])
    # Row 1 is the top, the largest y; the marked corner is the top right one at 10 mV.
    expected = CUBE.transpose(2, 0, 1)[::-1, ::-1]
    np.testing.assert_array_equal(dataset["dI/dV (G)"], expected)
    assert float(dataset["dI/dV (G)"][-1, -1, -1]) == 1000
    np.testing.assert_allclose(dataset["x"], np.linspace(0, 10, 6))
    assert dataset.attrs["size_nm"] == (12, 12)
    assert select_didv(dataset).attrs["channel"] == "dI/dV (G)"
    np.testing.assert_array_equal(select_topography(dataset)[0], 2 * CUBE[::-1, :, 0])


@VERSIONS
def test_array_with_energies_needs_a_size(save, mat, version):
    path = save("a.mat", mat(version, spectra=CUBE[:5], e=E))
    with pytest.raises(ReadError, match="--size W,H"):
        read_file(path)
    dataset = read_file(path, size_nm=(12, 5))
    assert dataset["spectra"].shape == (3, 5, 6)
    assert (float(dataset["x"][1]), float(dataset["y"][1])) == (2, 1)


@VERSIONS
def test_image(save, mat, top, version):
    dataset = read_file(save("a.mat", mat(version, scan=top)), size_nm=(7, 5))
    np.testing.assert_array_equal(dataset["scan"][0, ::-1], top)
    assert "the file states no bias: 0 mV stands in" in dataset.attrs["notes"]


def test_maps_that_do_not_fit_are_named(save, mat):
    content = mat(G={"map": CUBE, "e": E, "r": R}, I={"map": CUBE, "e": 2 * E, "r": R})
    dataset = read_file(save("a.mat", content))
    assert list(dataset) == ["dI/dV (G)"]
    assert dataset.attrs["notes"] == ["1 maps on another grid were left out"]


@VERSIONS
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"a": CUBE, "b": CUBE}, "found a, b; save the map alone"),
        ({"a": np.arange(5.0)}, "one array"),
        ({"a": 1j * CUBE}, "one array"),
        ({"map": CUBE, "r": R}, r"expected 3 energies e .* found none"),
        ({"map": CUBE, "e": E[:2], "r": R}, r"expected 3 energies e .* found 2"),
        ({"map": CUBE[:5], "e": E, "r": R}, "expected a square map"),
        ({"map": CUBE, "e": E, "r": R**2}, "not evenly spaced"),
        ({"map": CUBE, "e": E, "r": 0 * R}, "more than 0 nm"),
    ],
)
def test_arrays_that_are_no_map(save, mat, version, variables, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("a.mat", mat(version, **variables)))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_cut_file_of_version_7_3(save, mat, share):
    content = mat("7.3", G={"map": CUBE, "e": E, "r": R})
    with pytest.raises(ReadError, match=r"^a\.mat"):
        read_file(save("a.mat", content[: int(share * len(content))]))


def test_texts_cells_and_small_integers(save, mat):
    content = mat(
        "6",
        note="someone",
        list=np.array(["a", [1]], dtype=object),
        many=np.array([(1,), (2,)], dtype=[("a", int)]),
        G={"map": np.arange(24, dtype=np.uint8).reshape(4, 6), "inner": {"e": [1.0]}},
    )
    dataset = read_file(save("a.mat", content), size_nm=(6, 4))
    np.testing.assert_array_equal(dataset["dI/dV (G)"][0], np.arange(24).reshape(4, 6)[::-1])


def test_version_5_agrees_with_scipy(save, mat):
    path = save("a.mat", mat("6", map=CUBE, e=E, r=R))
    reference = scipy.io.loadmat(path)
    dataset = read_file(path)
    expected = reference["map"].transpose(2, 0, 1)[::-1, ::-1]
    np.testing.assert_array_equal(dataset["map"], expected)


@pytest.mark.parametrize("place", [128, 140, 180, -3])
def test_damaged_version_5(save, mat, place):
    content = bytearray(mat(map=CUBE, e=E, r=R))
    content[place] ^= 5
    with pytest.raises(ReadError, match=r"^a\.mat"):
        read_file(save("a.mat", bytes(content)))
