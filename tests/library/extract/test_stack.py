"""Stacks that are extracted part by part, and a GPU that is full."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from qpi_kernel import ExtractSettings, Scatterers, extract_kernel, simulate_map
from qpi_kernel.extract import stack
from qpi_kernel.extract.stack import iter_within_memory
from qpi_kernel.progress import drain

QUICK = ExtractSettings(method="wiener", window_nm=8.0, samples=4)
CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(scope="module")
def known():
    biases = [-20.0, -10.0, 0.0, 10.0, 20.0]
    return simulate_map(
        "ag111", bias_mV=biases, size_nm=20.0, pixels=64, scatterers=6, snr=50.0, seed=4
    )


def in_parts(monkeypatch, didv, scatterers, settings, biases=2):
    with monkeypatch.context() as patch:
        patch.setattr(stack, "LARGEST", biases * 64 * 64)
        return extract_kernel(didv, scatterers, settings, device="cpu")


def likeness(kernel, known):
    """Return the correlation with the true kernel at every bias."""
    margin = (known.kernel.sizes["x"] - kernel.sizes["x"]) // 2
    true = known.kernel.values[:, margin:-margin, margin:-margin]
    pairs = zip(kernel.values, true, strict=True)
    return np.array([np.corrcoef(own.ravel(), other.ravel())[0, 1] for own, other in pairs])


def test_given_positions_give_the_same_kernels_part_by_part(known, monkeypatch):
    average = replace(QUICK, method="average")
    whole = extract_kernel(known.didv, known.scatterers, average, device="cpu")
    parts = in_parts(monkeypatch, known.didv, known.scatterers, average)
    for name in ("didv", "kernel", "spread", "background", "reconstruction"):
        first, second = getattr(whole, name), getattr(parts, name)
        assert second.dims == first.dims
        np.testing.assert_array_equal(second["bias"], first["bias"])
        np.testing.assert_allclose(second.values, first.values, atol=1e-4 * np.ptp(first.values))
    np.testing.assert_allclose(parts.noise, whole.noise, rtol=1e-5)
    assert parts.settings == average
    assert parts.numbers.keys() == whole.numbers.keys()
    assert {len(values) for values in parts.numbers.values()} == {5}


def test_all_parts_share_what_some_biases_tell(known, monkeypatch):
    didv = known.didv.copy()
    didv[:, 30:33, 40:43] += 40 * float(didv.std())  # a cluster, to be set aside at all biases
    moved = known.scatterers.xy_nm + np.random.default_rng(0).normal(0, 0.1, (1, 2))
    whole = extract_kernel(didv, Scatterers(moved), QUICK, device="cpu")
    parts = in_parts(monkeypatch, didv, Scatterers(moved), QUICK)
    assert parts.provenance["scatterers_from_mV"] == [-10.0, 10.0]
    assert "scatterers_from_mV" not in whole.provenance
    apart = np.hypot(*(parts.scatterers.xy_nm - whole.scatterers.xy_nm).T)
    assert apart.max() < 0.3 * 20 / 64  # of a pixel
    assert not parts.used[31, 41]
    np.testing.assert_array_equal(parts.didv, didv)
    np.testing.assert_allclose(
        parts.residual.values + parts.reconstruction.values, didv.values, atol=1e-4
    )
    assert len(set(parts.numbers["origin_error_nm"])) == 1
    less = likeness(whole.kernel, known) - likeness(parts.kernel, known)
    assert less.mean() < 0.02
    assert less.max() < 0.03


def test_species_stay_apart_part_by_part(known, monkeypatch):
    kinds = np.arange(len(known.scatterers)) % 2
    labelled = replace(known.scatterers, species=kinds)
    parts = in_parts(monkeypatch, known.didv, labelled, replace(QUICK, refine=False))
    assert [part.scatterers.labels.tolist() for part in parts.parts] == [[0], [1]]
    for part in parts.parts:
        assert part.didv.sizes["bias"] == part.kernel.sizes["bias"] == 5
        assert part.background is parts.background
    waves = sum((part.reconstruction - parts.background).values for part in parts.parts)
    expected = (parts.reconstruction - parts.background).values
    np.testing.assert_allclose(waves, expected, atol=1e-3 * np.ptp(expected))


class Gpu:
    """An extraction on a GPU that has room for so many values; on the CPU there is room for all."""

    def __init__(self, room):
        self.room, self.calls = room, []

    def __call__(self, didv, scatterers, settings, place):
        self.calls.append((place.type, didv.sizes["bias"]))
        if place.type == "cuda" and didv.size > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        average = replace(settings, method="average")
        return extract_kernel(didv, scatterers, average, device="cpu")
        yield


def test_a_full_gpu_gets_fewer_biases_and_the_cpu_the_rest(known, monkeypatch):
    monkeypatch.setattr(stack, "LARGEST", 16 * 64 * 64)

    def attempt(gpu, *, may_move=True):
        asked = (gpu, known.didv, known.scatterers, QUICK, GPU)
        return [step.message for step in iter_within_memory(*asked, may_move=may_move)]

    large, small, none = Gpu(5 * 64 * 64), Gpu(2 * 64 * 64), Gpu(0)
    assert attempt(large) == []
    assert large.calls == [("cuda", 5)]
    assert attempt(small) == [
        "the memory of the GPU is too small: once more with fewer energies at a time"
    ]
    assert small.calls == [("cuda", n) for n in (5, 2, 2, 2, 1)]
    assert attempt(none)[-1].endswith("once more on the CPU")
    assert none.calls == [("cuda", 5), ("cuda", 2), ("cpu", 5)]
    with pytest.raises(torch.cuda.OutOfMemoryError):
        attempt(Gpu(0), may_move=False)


def test_the_cpu_is_asked_once(known):
    here = Gpu(0)
    drain(iter_within_memory(here, known.didv, known.scatterers, QUICK, CPU, may_move=True))
    assert here.calls == [("cpu", 5)]
