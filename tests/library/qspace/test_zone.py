import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpi_kernel.errors import QpiError
from qpi_kernel.qspace import brillouin_zone, lattice_of, reciprocal_lattice


def area(corners):
    x, y = corners.T
    return 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))


@settings(max_examples=40, deadline=None)
@given(
    a=st.floats(0.2, 0.8),
    b=st.floats(0.2, 0.8),
    between=st.floats(30.0, 150.0),
    turn=st.floats(0.0, 180.0),
)
def test_the_zone_has_the_area_of_the_reciprocal_cell(a, b, between, turn):
    lattice = reciprocal_lattice(a, b, between_deg=between, rotation_deg=turn)
    corners = brillouin_zone(lattice)
    assert area(corners) == pytest.approx(abs(np.linalg.det(lattice)), rel=1e-6)
    # No corner is nearer to another point of the lattice than to 0.
    counts = np.array([(i, j) for i in range(-5, 6) for j in range(-5, 6) if i or j])
    for corner in corners:
        nearest = np.min(np.linalg.norm(counts @ lattice - corner, axis=1))
        assert nearest >= np.linalg.norm(corner) * (1 - 1e-6)


def test_known_zones():
    square = brillouin_zone(reciprocal_lattice(0.383))
    np.testing.assert_allclose(np.abs(square), np.pi / 0.383, rtol=1e-9)
    hexagon = brillouin_zone(reciprocal_lattice(0.246, between_deg=60.0))
    assert len(hexagon) == 6
    # |K| of graphene.
    np.testing.assert_allclose(np.linalg.norm(hexagon, axis=1), 4 * np.pi / 3 / 0.246, rtol=1e-9)


def test_the_lattice_turns_with_the_crystal():
    straight, turned = (reciprocal_lattice(0.3, rotation_deg=angle) for angle in (0.0, 30.0))
    np.testing.assert_allclose(straight, 2 * np.pi / 0.3 * np.eye(2), atol=1e-9)
    np.testing.assert_allclose(np.rad2deg(np.arctan2(turned[0, 1], turned[0, 0])), 30.0)


@pytest.mark.parametrize(("symmetry", "between"), [("square", 90.0), ("hexagonal", 60.0)])
def test_a_lattice_comes_back_from_its_bragg_peaks(symmetry, between):
    peaks = reciprocal_lattice(0.31, between_deg=between, rotation_deg=12.0)
    assert lattice_of(peaks, symmetry) == pytest.approx((0.31, 12.0))
    opposite = np.concatenate([peaks, -peaks])
    assert lattice_of(opposite, symmetry) == pytest.approx((0.31, 12.0))
    with pytest.raises(QpiError, match="away from q = 0"):
        lattice_of(np.zeros((1, 2)), symmetry)


def test_what_is_no_lattice_is_refused():
    with pytest.raises(QpiError, match="must be positive"):
        reciprocal_lattice(0.0)
    with pytest.raises(QpiError, match="make no lattice"):
        reciprocal_lattice(0.3, between_deg=180.0)
