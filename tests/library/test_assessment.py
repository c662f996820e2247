import dataclasses

import numpy as np
import pytest

from qpi_kernel import Scatterers, assess

SURE = {"half_agreement": 0.8, "half_agreement_chance": 0.1, "prior_widening": 1.0}


@pytest.fixture
def judged(make_extraction):
    """Return the assessment of a good extraction with some facts changed."""

    def judge(biases=(-20.0,), numbers=None, **changes):
        result = make_extraction(biases=biases)
        facts = {name: (value,) * len(biases) for name, value in (SURE | (numbers or {})).items()}
        return assess(dataclasses.replace(result, numbers=facts, **changes))

    return judge


def spread_of(make_extraction, share, biases=(-20.0,)):
    """Return a spread that is a share of the kernel's ripples."""
    kernel = make_extraction(biases=biases).kernel
    y, x = kernel["y"].values, kernel["x"].values
    ripples = kernel.values[:, np.hypot(y[:, None], x[None, :]) > 0.6]
    return kernel.copy(data=np.full_like(kernel.values, share * ripples.std()))


def test_a_good_kernel_is_praised_with_its_numbers(judged):
    assessment = judged()
    assert assessment.verdict == "good"
    assert "two halves of the map agree" in assessment.reasons[0]
    assert len(assessment.reasons) == 1


@pytest.mark.parametrize(
    ("agreement", "verdict", "says"),
    [(0.05, "untrusted", "do not agree"), (-0.9, "untrusted", "do not agree"),
     (0.25, "doubtful", "agree only weakly")],
)  # fmt: skip
def test_halves_that_disagree_are_not_trusted(judged, agreement, verdict, says):
    assessment = judged(numbers={"half_agreement": agreement})
    assert assessment.verdict == verdict
    assert says in assessment.reasons[0]
    assert f"{agreement:.2f}" in assessment.reasons[0]


def test_a_lucky_chance_level_does_not_make_halves_agree(judged):
    assert (
        judged(numbers={"half_agreement": 0.05, "half_agreement_chance": 1e-6}).verdict
        == "untrusted"
    )


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.2, "good"), (0.5, "doubtful"), (0.9, "untrusted")]
)
def test_wide_error_bars_are_told(judged, make_extraction, share, verdict):
    assessment = judged(spread=spread_of(make_extraction, share))
    assert assessment.verdict == verdict
    assert any("error bars" in reason for reason in assessment.reasons)
    assert assessment.numbers["spread_over_kernel"][0] == pytest.approx(share, rel=0.15)


@pytest.mark.parametrize(("even", "verdict"), [(True, "doubtful"), (False, "untrusted")])
def test_uneven_weights_of_a_vague_kernel_that_explains_little_are_wrong_places(
    judged, make_extraction, even, verdict
):
    result = make_extraction()
    points = result.scatterers
    weights = np.ones(len(points)) if even else np.linspace(0.3, 1.7, len(points))
    rest = 0.8 * (result.didv.values - result.background.values)
    assessment = judged(
        scatterers=Scatterers(points.xy_nm, weights),
        spread=spread_of(make_extraction, 0.6),
        reconstruction=result.reconstruction.copy(data=result.didv.values - rest * 0.75),
    )
    assert 0.5 < assessment.numbers["explained_structure"][0] < 0.7
    assert assessment.verdict == verdict
    assert even != any("where none stand" in reason for reason in assessment.reasons)


def test_structure_that_is_left_is_told_with_its_place(judged, make_extraction):
    result = make_extraction()
    x, y = result.didv["x"].values, result.didv["y"].values
    sx, sy = result.scatterers.xy_nm[6]
    distance = np.hypot(x[None, :] - sx, y[:, None] - sy)
    extra = 3.0 * np.exp(-((distance / 0.6) ** 2))
    assessment = judged(didv=result.didv.copy(data=(result.didv.values + extra).astype(np.float32)))
    told = [reason for reason in assessment.reasons if "times the white noise" in reason]
    assert len(told) == 1
    assert "around points" in told[0]
    assert "7" in told[0].split("around points")[1]


def test_a_kernel_that_explains_little_is_not_trusted(judged, make_extraction):
    result = make_extraction()
    waves = result.reconstruction.values - result.background.values
    little = result.background.values + 0.1 * waves
    assessment = judged(reconstruction=result.reconstruction.copy(data=little))
    assert assessment.verdict == "untrusted"
    assert "explains only" in assessment.reasons[0]
    some = result.background.values + 0.32 * waves
    assert judged(reconstruction=result.reconstruction.copy(data=some)).verdict == "doubtful"


def test_few_scatterers_are_told(judged, make_extraction):
    points = make_extraction().scatterers
    assessment = judged(scatterers=points.select(np.arange(3)))
    assert assessment.verdict == "doubtful"
    assert any("scatterers in the map carry the kernel" in reason for reason in assessment.reasons)


def test_scatterers_outside_do_not_count_as_averages(judged, make_extraction):
    points = make_extraction().scatterers
    outside = Scatterers(np.vstack([points.xy_nm[:3], points.xy_nm + 500.0]))
    assert judged(scatterers=outside).numbers["effective_averages"][0] == pytest.approx(3.0)


def test_scatterers_that_repeat_at_one_displacement_are_told(judged, make_extraction):
    points = make_extraction().scatterers
    assert judged().numbers["repeated_pairs"][0] < 0.25
    twins = Scatterers(np.vstack([points.xy_nm, points.xy_nm + np.array([1.1, 0.4])]))
    assessment = judged(scatterers=twins)
    assert assessment.verdict == "untrusted"
    assert "neighbour at the same distance and direction" in assessment.reasons[0]
    assert assessment.numbers["repeated_pairs"][0] > 0.4


def test_one_pair_repeats_nothing(judged, make_extraction):
    few = Scatterers(make_extraction().scatterers.xy_nm[:2])
    assert judged(scatterers=few).numbers["repeated_pairs"] == [0.0]


def test_many_scatterers_at_random_do_not_repeat(judged, make_extraction):
    didv = make_extraction().didv
    low = [float(didv[dim].values[0]) for dim in ("x", "y")]
    high = [float(didv[dim].values[-1]) for dim in ("x", "y")]
    crowd = Scatterers(np.random.default_rng(0).uniform(low, high, (300, 2)))
    assert judged(scatterers=crowd).numbers["repeated_pairs"][0] < 0.2


def test_a_kernel_unlike_the_training_is_told(judged, make_extraction):
    wide = spread_of(make_extraction, 0.4)
    assessment = judged(numbers={"prior_widening": 4.0}, spread=wide)
    assert assessment.verdict == "doubtful"
    assert any("unlike those the model was trained on" in text for text in assessment.reasons)
    decided = judged(numbers={"prior_widening": 4.0}, spread=spread_of(make_extraction, 0.3))
    assert decided.verdict == "good"
    assert any("unlike those the model was trained on" in text for text in decided.reasons)
    without_model = judged(numbers={"prior_widening": 4.0}, spread=wide, prior=None)
    assert without_model.verdict == "good"
    assert "prior_similarity" not in without_model.numbers


def test_the_prior_is_compared_with_the_kernel(judged, make_extraction):
    prior = make_extraction().prior
    assert judged().numbers["prior_similarity"][0] == pytest.approx(1.0, abs=1e-4)
    turned = judged(prior=prior.copy(data=-prior.values))
    assert turned.numbers["prior_similarity"][0] == pytest.approx(-1.0, abs=1e-4)


def test_pixels_set_aside_do_not_count(judged, make_extraction):
    result = make_extraction()
    values = result.didv.values.copy()
    values[:, 40:60, 50:70] += 100
    spoiled = result.didv.copy(data=values)
    used = np.isfinite(values).all(axis=0)
    used[40:60, 50:70] = False
    assert judged(didv=spoiled).verdict != "good"
    assessment = judged(didv=spoiled, used=used)
    assert assessment.verdict == "good"
    assert assessment.numbers["share_used"][0] == pytest.approx(used.mean())


@pytest.fixture
def stack(make_extraction):
    """Return the assessment of a stack whose halves agree as told, slice by slice."""

    def judge(*agreement):
        result = make_extraction(biases=tuple(20.0 * i for i in range(len(agreement))))
        facts = {name: (value,) * len(agreement) for name, value in SURE.items()}
        return assess(dataclasses.replace(result, numbers=facts | {"half_agreement": agreement}))

    return judge


def test_a_stack_is_judged_by_its_median_slice(stack):
    assert stack(0.8, 0.01, 0.8).verdict == "good"
    assert stack(0.01, 0.01, 0.8).verdict == "untrusted"


def test_every_slice_has_its_verdict_and_those_below_the_stack_are_named(stack):
    assessment = stack(0.8, 0.01, 0.8, 0.25, 0.8)
    assert assessment.slices == ("good", "untrusted", "good", "doubtful", "good")
    assert "1 of 5 slices are untrusted: 20 mV" in assessment.reasons
    assert "1 of 5 slices are doubtful: 60 mV" in assessment.reasons


def test_slices_above_the_stack_are_not_named(stack):
    assessment = stack(0.25, 0.25, 0.8)
    assert assessment.slices == ("doubtful", "doubtful", "good")
    assert not [text for text in assessment.reasons if "slices" in text]


@pytest.fixture
def species(make_extraction):
    """Return the assessment of two species, 3 and 5, whose halves agree as told."""

    def judge(*agreement):
        whole = make_extraction()
        parts = tuple(
            dataclasses.replace(
                whole,
                numbers={name: (value,) for name, value in SURE.items()}
                | {"half_agreement": (value,)},
                scatterers=Scatterers(whole.scatterers.xy_nm, species=np.full(9, label)),
            )
            for label, value in zip((3, 5), agreement, strict=True)
        )
        return assess(dataclasses.replace(whole, parts=parts))

    return judge


def test_species_are_judged_one_by_one_and_the_weakest_decides(species):
    assert species(0.8, 0.7).verdict == "good"
    assert "species 3: similarity 0.80" in species(0.8, 0.7).reasons[0]
    weak = species(0.8, 0.01)
    assert weak.verdict == "untrusted"
    assert weak.reasons[0].startswith("species 5: the two halves of the map do not agree")
    assert weak.numbers["half_agreement_species_3"] == [0.8]
    assert weak.numbers["half_agreement_species_5"] == [0.01]
    assert "half_agreement" not in weak.numbers


def test_every_number_has_one_finite_value_per_bias(judged):
    numbers = judged(biases=(-20.0, 0.0)).numbers
    assert {"explained_variance", "residual_over_noise", "half_agreement"} <= set(numbers)
    for values in numbers.values():
        assert len(values) == 2
        assert np.all(np.isfinite(values))


def test_no_noise_and_no_kernel_are_no_division_by_zero(judged, make_extraction):
    result = make_extraction()
    zero = result.kernel.copy(data=np.zeros_like(result.kernel.values))
    assessment = judged(kernel=zero, noise=np.zeros(1), prior=zero)
    assert assessment.verdict == "untrusted"
    assert np.all(np.isfinite([values[0] for values in assessment.numbers.values()]))
