import numpy as np

from qpi_kernel import (
    Scatterers,
    mask_clusters,
    mask_cores,
    mask_scatterers,
    read_file,
    select_didv,
)
from tests.library.preprocess.conftest import map_of


def test_cores_and_clusters_are_masked_and_ripples_are_not():
    rng = np.random.default_rng(0)
    y, x = 0.1 * np.mgrid[:120, :150]
    values = np.cos(4 * x + y) + 0.2 * rng.normal(size=x.shape)
    core = np.hypot(y - 3, x - 4) < 0.25
    cluster = np.hypot(y - 8, x - 10) < 1.1
    values = values + 30 * core + 30 * cluster
    cores = np.isnan(mask_cores(map_of(values)).values[0])
    assert cores[core | cluster].all()
    assert cores[~(core | cluster)].mean() < 0.01
    clusters = np.isnan(mask_clusters(map_of([values, values]), 1.0).values)
    assert clusters[:, cluster].all()
    assert not clusters[:, core].any()
    assert clusters.mean() < 1.5 * cluster.mean()
    assert not np.isnan(mask_clusters(map_of(values), 4.0)).any()
    assert not np.isnan(mask_clusters(map_of(np.cos(4 * x)), 1.0)).any()


def test_discs_about_scatterers_have_their_radius():
    didv = map_of(np.ones((80, 90)))
    points = Scatterers([[2.0, 5.0], [6.0, 9.0], [40.0, 5.0]])
    masked = np.isnan(mask_scatterers(didv, points, 0.55).values[0])
    x, y = didv["x"].values[None], didv["y"].values[:, None]
    distance = np.min([np.hypot(x - a, y - b) for a, b in points.xy_nm], axis=0)
    np.testing.assert_array_equal(masked, distance <= 0.55)


def test_the_clusters_of_a_real_topograph(data_dir):
    topograph = select_didv(read_file(data_dir / "cu111" / "A200622.083153.dat"))
    masked = np.isnan(mask_clusters(topograph, 1.6).values[0])
    assert 0.001 < masked.mean() < 0.05
