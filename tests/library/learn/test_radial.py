import numpy as np
import torch

from qpi_kernel.learn import radial


def test_a_linear_function_of_q_is_the_same_in_bins():
    q = radial.half_plane(31)
    assert q.shape == (31, 16)
    bins = torch.linspace(0, radial.HIGHEST_Q, radial.BINS)
    torch.testing.assert_close(radial.spread(2 * bins + 1, q), 2 * q + 1)


def test_rings_are_summed_with_each_frequency_counted_once():
    q = radial.half_plane(31)
    images = torch.rand(3, 2, *q.shape, generator=torch.Generator().manual_seed(1))
    sums, counts = radial.gather(images, q)
    assert sums.shape == (3, 2, radial.BINS)
    torch.testing.assert_close(sums.sum(-1), images.sum((-2, -1)))
    assert float(counts.sum()) == q.numel()


def test_the_weight_says_how_often_a_frequency_counts():
    q = radial.half_plane(31)
    often = torch.full_like(q, 2.0)
    sums, counts = radial.gather(torch.ones(*q.shape), q, often)
    np.testing.assert_allclose(sums, counts, rtol=1e-5)
    np.testing.assert_allclose(counts, 2 * radial.gather(q, q)[1], rtol=1e-5)
