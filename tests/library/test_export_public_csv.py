import numpy as np
import pytest

from qpi_kernel import Scatterers, make_map, read_file, read_public_sample
from qpi_kernel.cli import main
from qpi_kernel.export import ExportError
from qpi_kernel.export.public_csv import (
    PublicSetSettings,
    iter_write_public_set,
    write_public_samples,
)
from qpi_kernel.progress import drain
from qpi_kernel.read.qpi_csv import PublicSample
from qpi_kernel.settings import save

AXIS = np.linspace(-20, 20, 16)
SMALL = PublicSetSettings(families=("parabolic", "kagome"), kernels=3, observations=2, pixels=32)


def field(seed, axis=AXIS):
    values = np.random.default_rng(seed).normal(size=(1, axis.size, axis.size))
    return make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis, units="a.u.")


def samples():
    rng, kernel = np.random.default_rng(0), field(0)
    return [
        PublicSample(field(n + 1), kernel, Scatterers(rng.uniform(-20, 20, (n + 1, 2))))
        for n in range(3)
    ]


def test_what_was_written_is_read_back(tmp_path):
    written = samples()
    path = write_public_samples(written, tmp_path / "kernel.csv")
    for number, sample in enumerate(written, 1):
        again = read_public_sample(path, number)
        np.testing.assert_array_equal(again.didv.values, sample.didv.values)
        np.testing.assert_array_equal(again.kernel.values, sample.kernel.values)
        np.testing.assert_allclose(again.scatterers.xy_nm, sample.scatterers.xy_nm, rtol=1e-15)
        np.testing.assert_allclose(again.didv["x"], AXIS, rtol=1e-15)
    assert list(read_file(path)) == [f"observation {n}" for n in (1, 2, 3)]


def test_the_layout_is_the_public_one(tmp_path):
    path = write_public_samples(samples(), tmp_path / "kernel.csv", scatterers=5)
    rows = [line.split(",") for line in path.read_text(encoding="ascii").splitlines()]
    assert rows[0] == ["16", "5"]
    assert [float(x) for x in rows[1]] == pytest.approx(np.linspace(-200, 200, 16))
    assert {len(row) for row in rows[2:]} == {16**2 + 2 * 5}
    assert rows[3][-8:] == ["1000.0"] * 8
    # The second value is the next along x.
    assert float(rows[3][1]) == pytest.approx(float(samples()[0].didv.values[0, 1, 0]), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda all_: [], "no map to write"),
        (lambda all_: [all_[0]._replace(didv=field(1)[:, :8])], "not one bias on the square grid"),
        (lambda all_: [all_[0], all_[1]._replace(didv=field(1, AXIS * 2))], "map 2 has not one"),
        (lambda all_: [all_[0]._replace(didv=field(1) * np.nan)], "not measured"),
        (lambda all_: [all_[0]._replace(scatterers=Scatterers([[120.0, 0.0]]))], "nearer than 100"),
        (lambda all_: [all_[0]._replace(scatterers=Scatterers(np.zeros((9, 2))))], "has 9 scatter"),
    ],
)
def test_maps_that_do_not_fit_are_refused(tmp_path, change, says):
    with pytest.raises(ExportError, match=says):
        write_public_samples(change(samples()), tmp_path / "kernel.csv", scatterers=5)
    assert list(tmp_path.iterdir()) == []


def test_a_set_holds_kernels_and_their_sums(tmp_path):
    paths = drain(iter_write_public_set(SMALL, tmp_path))
    assert [path.name for path in paths] == [
        "kernel_001_parabolic.csv", "kernel_002_kagome.csv", "kernel_003_parabolic.csv"
    ]  # fmt: skip
    sample = read_public_sample(paths[0], 2)
    assert 1 <= len(sample.scatterers) <= 20
    assert np.abs(sample.scatterers.xy_nm).max() <= 20
    # The origin lies between the pixels: an isotropic kernel looks the same from both sides.
    kernel = sample.kernel.values[0]
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=0.01 * np.abs(kernel).max())


def test_maps_are_sums_of_the_kernel_at_the_positions(tmp_path):
    one = PublicSetSettings(families=("extended",), kernels=1, observations=3, pixels=32,
                            scatterers=1)  # fmt: skip
    (path,) = drain(iter_write_public_set(one, tmp_path))
    for number in (1, 2, 3):
        sample = read_public_sample(path, number)
        ((x, y),) = sample.scatterers.xy_nm
        core = np.abs(sample.didv.values[0])
        axis = sample.didv["x"].values
        row, column = np.unravel_index(core.argmax(), core.shape)
        assert np.hypot(axis[column] - x, axis[row] - y) < 3 * (axis[1] - axis[0])


def test_a_set_is_taken_up_where_it_stopped_and_its_seed_is_enough(tmp_path):
    making = iter_write_public_set(SMALL, tmp_path / "cut")
    next(making)
    making.close()
    made = (tmp_path / "cut" / "kernel_001_parabolic.csv").stat().st_mtime_ns
    cut = drain(iter_write_public_set(SMALL, tmp_path / "cut"))
    assert cut[0].stat().st_mtime_ns == made
    whole = drain(iter_write_public_set(SMALL, tmp_path / "whole"))
    assert [path.read_bytes() for path in cut] == [path.read_bytes() for path in whole]


def test_unknown_families_are_named(tmp_path):
    with pytest.raises(ExportError, match="unknown families fractal; known: parabolic"):
        drain(iter_write_public_set(PublicSetSettings(families=("fractal",)), tmp_path))


def test_the_command_writes_a_set(tmp_path, capsys):
    save(SMALL, tmp_path / "set.toml")
    words = ["public-set", "--out", str(tmp_path / "set"), "--recipe", str(tmp_path / "set.toml")]
    assert main(words) == 0
    assert "wrote 3 kernels with 2 maps each" in capsys.readouterr().out
    assert len(list((tmp_path / "set").glob("*.csv"))) == 3
