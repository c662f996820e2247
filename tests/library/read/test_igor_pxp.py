import numpy as np
import pytest

from qpi_kernel import ReadError, read_file
from tests.library.read.exchange_writers import ibw_bytes, pxp_bytes

pytest.importorskip("igor2")

CUBE = np.arange(7 * 5 * 3, dtype=float).reshape(7, 5, 3)


def test_waves_on_the_grid_of_the_spectra(save, top):
    content = pxp_bytes(
        ibw_bytes(CUBE[:, 0, 0]),
        ibw_bytes(top.T),
        ibw_bytes(CUBE),
        ibw_bytes(2 * CUBE),
        ibw_bytes(CUBE[:, :3]),
    )
    dataset = read_file(save("experiment.PXP", content))
    assert {name: channel.shape for name, channel in dataset.items()} == {
        "LIX": (5, 7),
        "LIX (2)": (3, 5, 7),
        "LIX (3)": (3, 5, 7),
    }
    np.testing.assert_allclose(dataset["bias"], [0, 5, 10])
    expected = 2 * CUBE.transpose(2, 1, 0)[::-1] * 1e12
    np.testing.assert_allclose(dataset["LIX (3)"], expected, rtol=1e-6)
    np.testing.assert_allclose(dataset["LIX"][::-1], 1e12 * top[::-1], rtol=1e-6)
    assert dataset.attrs["size_nm"] == (7, 10)
    assert dataset.attrs["notes"] == ["2 waves of another kind or grid were left out"]


def test_an_experiment_agrees_with_igor2(save, tmp_path):
    path = save("a.pxp", pxp_bytes(ibw_bytes(CUBE)))
    from igor2 import packed

    records, _ = packed.load(str(path))
    (wave,) = [record.wave["wave"] for record in records if hasattr(record, "wave")]
    expected = 1e12 * np.asarray(wave["wData"]).transpose(2, 1, 0)[::-1]
    np.testing.assert_allclose(read_file(path)["LIX"], expected, rtol=1e-6)


def test_an_experiment_without_maps(save):
    with pytest.raises(ReadError, match="expected a wave of real numbers along x, y"):
        read_file(save("a.pxp", pxp_bytes(ibw_bytes(CUBE[:, 0, 0]))))
    with pytest.raises(ReadError, match="expected records with waves"):
        read_file(save("a.pxp", pxp_bytes()))


def test_a_cut_experiment_keeps_its_whole_waves(save):
    content = pxp_bytes(ibw_bytes(CUBE), ibw_bytes(2 * CUBE))
    dataset = read_file(save("a.pxp", content[: int(0.8 * len(content))]))
    assert list(dataset) == ["LIX"]
