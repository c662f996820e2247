import numpy as np
import pytest

from qpi_kernel import ReadError, read_file, read_public_sample

AXIS = np.linspace(-200, 200, 6)
# The first index runs along x.
IMAGES = np.arange(3 * 36, dtype=float).reshape(3, 6, 6)
PAIRS = [[0, 0, 1000, 1000, 1000, 1000], [-40, 80, 12.5, -7, 1000, 1000], [10, 20, 30, 40, 50, 60]]


def csv_bytes(images=IMAGES, pairs=PAIRS, axis=AXIS, pad=0) -> bytes:
    rows = [[6, 3], list(axis)]
    rows += [[*image.ravel(), *numbers] for image, numbers in zip(images, pairs, strict=True)]
    lines = [",".join(map(str, row)) for row in rows]
    return "\r\n".join(line + "," * pad for line in lines).encode() + b"\r\n"


@pytest.mark.parametrize("pad", [0, 40])
def test_observations_are_channels(save, pad):
    dataset = read_file(save("kernel 1.csv", csv_bytes(pad=pad)))
    assert list(dataset) == ["observation 1", "observation 2"]
    np.testing.assert_array_equal(dataset["observation 1"][0], IMAGES[1].T)
    np.testing.assert_allclose(dataset["x"], AXIS / 10)
    np.testing.assert_allclose(dataset["y"], AXIS / 10)
    assert dataset.attrs["size_nm"] == (48, 48)


def test_truth(save):
    path = save("kernel 1.csv", csv_bytes())
    sample = read_public_sample(path)
    np.testing.assert_array_equal(sample.didv[0], IMAGES[1].T)
    np.testing.assert_array_equal(sample.kernel[0], IMAGES[0].T)
    np.testing.assert_allclose(sample.scatterers.xy_nm, [[-4, 8], [1.25, -0.7]])
    np.testing.assert_allclose(
        read_public_sample(path, 2).scatterers.xy_nm, [[1, 2], [3, 4], [5, 6]]
    )


def test_a_bright_pixel_lies_at_its_scatterer(save):
    images = np.zeros((2, 6, 6))
    images[0, 3, 3] = 1
    images[1, 1, 4] = 1
    pairs = [PAIRS[0], [AXIS[1], AXIS[4], 1000, 1000, 1000, 1000]]
    sample = read_public_sample(save("a.csv", csv_bytes(images, pairs)))
    ((x, y),) = sample.scatterers.xy_nm
    assert float(sample.didv[0].sel(x=x, y=y, method="nearest")) == 1


@pytest.mark.parametrize("observation", [0, 3, -1])
def test_an_observation_that_is_not_there(save, observation):
    with pytest.raises(ReadError, match="found 2 observations"):
        read_public_sample(save("a.csv", csv_bytes()), observation)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (csv_bytes()[:150], "and 1 rows below"),
        (csv_bytes()[:-250], "a row of"),
        (csv_bytes().replace(b"41.0", b"hello"), "rows of numbers"),
        (csv_bytes(axis=AXIS[:5]), "5 coordinates"),
        (csv_bytes(axis=AXIS**3), "not evenly spaced"),
        (b"x_nm,y_nm\n1,2\n", "in the first row"),
    ],
)
def test_damaged_files(save, content, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("a.csv", content))


def test_missing_file(tmp_path):
    with pytest.raises(ReadError, match="No such file"):
        read_public_sample(tmp_path / "missing.csv")
