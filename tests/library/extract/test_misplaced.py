"""Scatterers that stand beside their places, from the kernel and from their pattern."""

import numpy as np
import pytest
import torch

from qpi_kernel.convolution import Geometry
from qpi_kernel.extract.misplaced import off_centre, paired, repeated_pair, strong_ones
from qpi_kernel.scatterers import Scatterers

GEOMETRY = Geometry(64, 64, 33)
AREA, REACH, STEP = 40.0**2, 10.0, 0.5


def waves(row, column, slope=0.0):
    """Return ripples about a place, which may grow across the window."""
    axis = torch.arange(33.0) - 16
    y, x = axis[:, None] - row, axis[None, :] - column
    r = torch.sqrt(y**2 + x**2)
    return (1 + slope * x) * torch.cos(1.1 * r) * torch.exp(-r / 6)


@pytest.mark.parametrize(("row", "column"), [(0.0, 0.0), (3.0, -5.0), (-2.5, 4.0)])
def test_the_centre_of_ripples_is_found_to_half_a_pixel(row, column):
    kernels = torch.stack([waves(row, column), -2 * waves(row, column)])
    found = off_centre(GEOMETRY, kernels[None])[0]
    assert torch.allclose(found, torch.tensor([row, column]), atol=0.5)


def test_a_kernel_stronger_on_one_side_keeps_its_centre():
    found = off_centre(GEOMETRY, waves(0.0, 0.0, slope=0.03)[None, None])[0]
    assert torch.linalg.norm(found) <= 1.0


@pytest.fixture
def xy():
    return np.random.default_rng(1).uniform(0, 40, (30, 2))


def test_lobes_are_seen_as_pairs_and_random_scatterers_are_not(xy):
    apart = np.array([0.9, 0.4])
    lobes = np.concatenate([xy - apart, xy + apart])
    pair, share = repeated_pair(lobes, REACH, STEP, AREA)
    assert share > 0.4
    np.testing.assert_allclose(np.sign(pair[0]) * pair, [1.8, 0.8], atol=STEP)
    assert repeated_pair(xy, REACH, STEP, AREA)[1] < 0.15


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_single_pair_repeats_nothing(xy, count):
    assert repeated_pair(xy[:count], REACH, STEP, AREA)[1] == 0.0


@pytest.mark.parametrize("lobes", [2, 3])
def test_lobes_become_the_scatterer_between_them(xy, lobes):
    offset = np.array([1.8, 0.8])
    marks = np.concatenate([xy + k * offset for k in np.arange(lobes) - (lobes - 1) / 2])
    found = paired(Scatterers(marks), offset, STEP).xy_nm
    nearest = np.linalg.norm(xy[:, None] - found[None], axis=-1).min(1)
    assert np.median(nearest) < 1e-6
    assert len(found) <= len(xy)


def test_marks_without_a_partner_are_left_out(xy):
    marks = Scatterers(np.concatenate([xy[:5], xy[:5] + np.array([1.8, 0.8]), [[39.0, 1.0]]]))
    assert len(paired(marks, np.array([1.8, 0.8]), STEP)) == 5


def test_weak_scatterers_are_left_out_whatever_their_sign(xy):
    weights = np.where(np.arange(30) % 3, 1.0, 0.3) * np.where(np.arange(30) % 2, 1, -1)
    strong = strong_ones(Scatterers(xy, weights))
    np.testing.assert_array_equal(strong.xy_nm, xy[np.arange(30) % 3 > 0])
    assert len(strong_ones(strong)) == len(strong)
