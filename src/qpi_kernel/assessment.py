"""How far a kernel is to be trusted: numbers, a verdict and its reasons.

No single number tells a kernel from a handsome piece of noise. The test that no prior can pass
alone is the agreement of two kernels from the two halves of the map, against what shuffled
scatterers give; beside it stand the error bars, the residual, and how far the data had to pull the
prior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from qpi_kernel.assessment_numbers import kernel_numbers, map_numbers
from qpi_kernel.extract.result import Extraction
from qpi_kernel.maps import pixel_nm

Verdict = Literal["good", "doubtful", "untrusted"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
# So many slices are named one by one.
NAMED = 8

# The borders were set on 126 maps of each kind (benchmarks/verdicts.py --seed 1001 --families
# model); how right the verdicts are on others stands in the model card.
# Agreement of the halves in units of what chance gives, and what chance gives at the least.
SURE, UNSURE, CHANCE = 3.0, 2.0, 0.04
# Spread of the kernel over the kernel, outside the core.
SHARP, BLURRED = 0.46, 0.75
# Share of the structure in the map (variance less that of white noise) which the kernel explains.
# Scatterers at wrong places reach a half, multiple scattering alone costs up to 15 %.
FITS, WRONG, WHOLE = 0.65, 0.5, 0.7
# Scatter of the weights over their median. True scatterers differ by a fifth; where nothing stands,
# weights are whatever the noise makes of them. Together with a kernel that explains less than WHOLE
# and whose spread is above VAGUE that tells wrong places.
UNEVEN, VAGUE = 0.25, 0.5
# Where one scatterer is found in several pieces the map is explained, but weights scatter more.
RAGGED, BROKEN = 0.4, 0.5
# Share of the scatterers that have a partner at one and the same displacement. True ones stay below
# a quarter; where lobes of a core or crests of its ripples are taken for scatterers, half have one.
REPEATED, COPIED = 0.3, 0.4
# Residual over white noise.
CLEAN = 1.6
# How much further than its calibrated error the data may pull the prior (1 is expected), and the
# spread below which that does not matter, because the data decide: on maps of other seeds the
# kernels that were pulled further, and had less spread than this, were right.
STRANGE, DECIDED = 2.5, 0.35
FEW = 4.0


@dataclass(frozen=True)
class Assessment:
    """A verdict with its reasons.

    Parameters
    ----------
    verdict : {"good", "doubtful", "untrusted"}
    reasons : tuple of str
        One sentence each, the gravest first; what speaks for the kernel if the verdict is good.
    numbers : mapping
        A list with one value per bias for each measure; of several species, those that concern
        one kernel end in its label ("half_agreement_species_1").
    slices : tuple of {"good", "doubtful", "untrusted"}
        The verdict of each bias.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    numbers: Mapping[str, list[float]]
    slices: tuple[Verdict, ...] = ()


def assess(result: Extraction) -> Assessment:
    """Judge an extraction.

    The verdict of a stack is that of its median slice; the reasons name the slices below it. Of
    several species the weakest decides.
    """
    biases = result.didv["bias"].values
    shared = map_numbers(result)
    own = [kernel_numbers(part) for part in result.each_species]
    names = [_name(part) if result.parts else "" for part in result.each_species]
    findings = [
        _judge_map(shared, index, result)
        + [
            (grade, f"{name}: {text}" if name else text)
            for name, numbers, part in zip(names, own, result.each_species, strict=True)
            for grade, text in _judge_kernel(
                numbers, index, part, shared["explained_structure"][index]
            )
        ]
        for index in range(biases.size)
    ]
    grades = [max((grade for grade, _ in found), default=0) for found in findings]
    typical = int(np.median(grades))
    chosen = grades.index(typical) if typical in grades else int(np.argmax(grades))
    reasons = [text for _, text in sorted(findings[chosen], key=lambda finding: -finding[0])]
    if typical == 0:
        reasons.insert(0, _praise(shared, own, names, chosen))
    for grade in range(2, typical, -1):
        worse = [f"{biases[i]:g} mV" for i, found in enumerate(grades) if found == grade]
        if worse:
            shown = ", ".join(worse[:NAMED]) + (", ..." if len(worse) > NAMED else "")
            reasons.append(f"{len(worse)} of {biases.size} slices are {VERDICTS[grade]}: {shown}")
    numbers = dict(shared)
    for name, values in zip(names, own, strict=True):
        ending = f"_{name.replace(' ', '_')}" if name else ""
        numbers |= {measure + ending: value for measure, value in values.items()}
    slices = tuple(VERDICTS[grade] for grade in grades)
    return Assessment(VERDICTS[typical], tuple(reasons), numbers, slices)


def _name(part: Extraction) -> str:
    return f"species {part.scatterers.labels[0]}"


def _judge_map(
    numbers: Mapping[str, list[float]], index: int, result: Extraction
) -> list[tuple[int, str]]:
    """Return what is to be said of one slice: (0 remark, 1 doubtful or 2 untrusted, sentence)."""
    found: list[tuple[int, str]] = []
    share = numbers["explained_structure"][index]
    if share < FITS:
        what = "these kernels at their scatterers explain" if result.parts else (
            "one kernel at these scatterers explains"
        )  # fmt: skip
        found.append(
            (
                2 if share < WRONG else 1,
                f"{what} only {max(share, 0):.0%} of the structure"
                " in the map: look for missing or wrong scatterers, or for several species",
            )
        )
    repeated = numbers["repeated_pairs"][index]
    if repeated > REPEATED:
        found.append(
            (
                2 if repeated > COPIED else 1,
                f"{repeated:.0%} of the scatterers have a neighbour at the same distance and"
                " direction: lobes of a core or crests of its ripples may count as scatterers",
            )
        )
    ratio = numbers["residual_over_noise"][index]
    if ratio > CLEAN:
        found.append((int(share < WHOLE), _structure(ratio, result, index)))
    return found


def _judge_kernel(
    numbers: Mapping[str, list[float]], index: int, part: Extraction, share: float
) -> list[tuple[int, str]]:
    """Return what is to be said of one kernel at one bias: (grade, sentence)."""
    found: list[tuple[int, str]] = []
    agreement, chance = numbers["half_agreement"][index], numbers["half_agreement_chance"][index]
    spread = numbers["spread_over_kernel"][index]
    sigmas = agreement / max(chance, CHANCE)
    if sigmas < SURE:
        weakly = "do not agree" if sigmas < UNSURE else "agree only weakly"
        found.append(
            (
                2 if sigmas < UNSURE else 1,
                f"the two halves of the map {weakly} on a kernel: similarity {agreement:.2f}, where"
                f" scatterers at random places give {chance:.2f}",
            )
        )
    scatter = numbers["weight_scatter"][index]
    if share < WHOLE and spread > VAGUE and scatter > UNEVEN:
        found.append(
            (
                2,
                f"scatterers may be marked where none stand: their weights differ by {scatter:.0%},"
                " and the kernel is vague and explains little of the map",
            )
        )
    elif scatter > RAGGED:
        found.append(
            (
                2 if scatter > BROKEN else 1,
                f"the weights of the scatterers differ by {scatter:.0%}: one may be marked"
                " in several pieces, or there are several species",
            )
        )
    if spread > SHARP:
        found.append(
            (
                2 if spread > BLURRED else 1,
                f"the error bars are {spread:.0%} of the kernel outside its core; more scatterers"
                " or a longer measurement would help",
            )
        )
    averages = numbers["effective_averages"][index]
    if averages < FEW:
        found.append((1, f"only about {averages:.1f} scatterers in the map carry the kernel"))
    pull = numbers.get("prior_widening", [1.0] * (index + 1))[index]
    if pull > STRANGE and part.prior is not None:
        found.append(
            (
                int(spread > DECIDED),
                "the kernel is unlike those the model was trained on: the data pulled it"
                f" {pull:.1f} times further than the model's usual error",
            )
        )
    return found


def _structure(ratio: float, result: Extraction, index: int) -> str:
    """Say how much structure is left and which scatterers stand next to most of it."""
    residual = np.nan_to_num(result.residual.values[index])
    x, y = result.didv["x"].values, result.didv["y"].values
    inside = result.scatterers.xy_nm
    reach = 8 * pixel_nm(result.didv)[1]
    shares = []
    for number, (sx, sy) in enumerate(inside):
        patch = residual[np.ix_(np.abs(y - sy) <= reach, np.abs(x - sx) <= reach)]
        shares.append((float(np.sum(patch**2)), number))
    total = float(np.sum(residual**2)) or 1.0
    worst = sorted(shares, reverse=True)[:2]
    names = " and ".join(str(number + 1) for _, number in worst)
    share = sum(power for power, _ in worst) / total
    tail = f"; {share:.0%} of it lies around points {names}" if share > 0.15 else ""
    return (
        f"the residual is {ratio:.1f} times the white noise: the map holds structure that one"
        f" kernel at these scatterers does not explain{tail}"
    )


def _praise(
    shared: Mapping[str, list[float]],
    own: Sequence[Mapping[str, list[float]]],
    names: Sequence[str],
    index: int,
) -> str:
    agreements = " and ".join(
        (f"{name}: " if name else "") + f"similarity {numbers['half_agreement'][index]:.2f}, chance"
        f" {numbers['half_agreement_chance'][index]:.2f}"
        for name, numbers in zip(names, own, strict=True)
    )
    spread = max(numbers["spread_over_kernel"][index] for numbers in own)
    share = min(shared["explained_structure"][index], 1)
    return (
        f"the two halves of the map agree on the kernel ({agreements}); {share:.0%} of the"
        f" structure in the map is explained, and the error bars are {spread:.0%} of the kernel"
        " outside its core"
    )
