"""Draw every material into docs/materials/ and list them in docs/materials.md.

    python docs/scripts/materials_gallery.py [NAME ...]

Without names all are drawn. Left: kernel of the usual scatterer; middle: logarithm of the Fourier
transform of its ripples, with the wave vectors of `Material.wave_vectors` as circles; right: |F|
along one of them against bias, each bias divided by its maximum, with the formula as a line.
"""

import io
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from qpi_kernel import simulate_kernel
from qpi_kernel.simulate import MATERIALS

DOCS = Path(__file__).parents[1]
# Wavelengths across the window that is shown, and across the one that is transformed.
SHOWN, TRANSFORMED = 16, 40
PIXELS_PER_WAVELENGTH = 4.5
# Half the pixels of the largest window that is transformed, for the picture and for the cut.
LARGEST, LARGEST_CUT = 110, 70
SHOWN_PIXELS, TRANSFORM_PIXELS, CUT_PIXELS = 161, 200, 160
ENERGIES = 25
COLOURS = 128

# Where the pattern is clearest, if not in the middle of the range [mV].
SHOWN_AT = {
    "ag111": 0.0, "cu111": 0.0, "au111": 0.0, "si111-ag": 0.0, "biag2": -400.0, "bi2te3": 30.0,
    "square": -220.0, "triangular": -300.0, "graphene": 400.0, "gapped-honeycomb": 450.0,
    "bi2212": 0.0, "sr2ruo4": 0.0, "sr2ruo4-t2g": 0.0, "nbse2": 0.0, "nbse2-cdw": 0.0,
    "pnictide": 0.0, "pnictide-sc": 20.0, "lifeas": -10.0, "lifeas-sc": -8.0, "cecoin5": -2.0,
    "cecoin5-sc": 0.3, "bi2212-sc": 10.0, "kagome": -400.0, "zrsis": 200.0, "zrsise": 200.0,
    "zrsite": 200.0, "fese": -20.0, "tise2": -150.0, "tas2": -100.0,
}  # fmt: skip
# The wave vector that the cut follows, if not the first one.
CUT_ALONG = {"bi2212-sc": "q7", "cecoin5-sc": "q7", "pnictide": "2k electrons"}


def axis_of(material, lengths, half):
    """Return the axis of a window [nm]: fine enough for all wave vectors and for the atoms."""
    pitch = 2 * np.pi / max(lengths) / PIXELS_PER_WAVELENGTH
    if material.crystal is not None:
        pitch = min(pitch, material.crystal.wannier_nm)
    half = min(half, round(TRANSFORMED * np.pi / lengths[0] / pitch))
    return pitch * np.arange(-half, half + 1)


def ripples_of(material, bias_mV, axis):
    """Return the kernel, tapered to the rim of its window and without the core."""
    kernel = simulate_kernel(material, bias_mV=[bias_mV], y_nm=axis, x_nm=axis).values[0]
    distance = np.hypot(axis[:, None], axis)
    core = 0.02 * axis[-1]
    taper = np.cos(np.pi / 2 * np.minimum(distance / axis[-1], 1)) ** 2
    return kernel * taper * -np.expm1(-((distance / core) ** 2))


def transform(ripples, axis, qx, qy):
    """Return |F| on the axes qx and qy [1/nm]."""
    to_x, to_y = (np.exp(-1j * np.outer(q, axis)) for q in (qx, qy))
    return np.abs(to_y @ ripples @ to_x.T)


def cut(ripples, axis, direction, q):
    """Return |F| at the wave vectors q along a direction."""
    x, y = np.array(direction) / np.hypot(*direction)
    to_x, to_y = (np.exp(-1j * np.outer(q * part, axis)) for part in (x, y))
    return np.abs(np.einsum("qy,yx,qx->q", to_y, ripples, to_x, optimize=True))


def draw(material):
    """Return the picture of a material as a palette image."""
    low, high = (1e3 * energy for energy in material.energies_eV)
    bias = SHOWN_AT.get(material.name, (low + high) / 2)
    vectors = material.wave_vectors(bias / 1e3)
    axis = axis_of(material, [np.hypot(*q) for q in vectors.values()], LARGEST)
    followed = CUT_ALONG.get(material.name, next(iter(vectors)))
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.0, 3.1), layout="constrained")

    wavelength = 2 * np.pi / material.ring_q(bias / 1e3)
    near = SHOWN / 2 * wavelength * np.linspace(-1, 1, SHOWN_PIXELS)
    values = simulate_kernel(material, bias_mV=[bias], y_nm=near, x_nm=near).values[0]
    # The core would outshine the ripples.
    limit = np.percentile(np.abs(values[np.hypot(near[:, None], near) > wavelength]), 98)
    extent = [near[0], near[-1]] * 2
    left.imshow(values, origin="lower", extent=extent, cmap="RdBu_r", vmin=-limit, vmax=limit)
    left.set(xlabel="x (nm)", ylabel="y (nm)")
    left.set_title(f"{material.name}, {bias:g} mV", fontsize=9)

    nyquist = np.pi / (axis[1] - axis[0])
    reach = min(nyquist, 1.5 * max(np.hypot(*q) for q in vectors.values()))
    qx = np.linspace(-reach, reach, TRANSFORM_PIXELS)
    power = np.log(transform(ripples_of(material, bias, axis), axis, qx, qx))
    middle.imshow(
        power, origin="lower", extent=[-reach, reach] * 2, cmap="gray_r",
        vmin=np.percentile(power, 40), vmax=np.percentile(power, 99.9),
    )  # fmt: skip
    for name, q in vectors.items():
        middle.plot(*q, "o", mfc="none", mec="tab:red", ms=7)
        middle.annotate(name, q, (4, 4), textcoords="offset points", color="tab:red", fontsize=7)
    middle.set(xlabel="qx (1/nm)", ylabel="qy (1/nm)")
    middle.set_title("log |F|", fontsize=9)

    biases = np.linspace(low, high, ENERGIES)
    formula = np.array([
        np.hypot(*material.wave_vectors(b / 1e3).get(followed, (np.nan, np.nan))) for b in biases
    ])  # fmt: skip
    q = np.linspace(0, 1.2 * np.nanmax(formula), CUT_PIXELS)
    axis = axis_of(material, [np.nanmax(formula)], LARGEST_CUT)
    rows = [cut(ripples_of(material, b, axis), axis, vectors[followed], q) for b in biases]
    rows = np.array([row / row.max() for row in rows])
    right.imshow(
        rows, origin="lower", aspect="auto", cmap="gray_r", extent=[0, q[-1], low, high],
        vmax=np.percentile(rows, 99),
    )  # fmt: skip
    right.plot(formula, biases, "r--", lw=0.8)
    angle = np.degrees(np.arctan2(*vectors[followed][::-1]))
    right.set(xlabel=f"q at {angle:.0f}° (1/nm)", ylabel="bias (mV)", xlim=(0, q[-1]))
    right.set_title(f"|F| along {followed}", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=75)
    plt.close(figure)
    return Image.open(buffer).convert("RGB").quantize(COLOURS, kmeans=1)


def table():
    """Return docs/materials.md."""
    rows = []
    for name, material in MATERIALS.items():
        low, high = (1e3 * energy for energy in material.energies_eV)
        # Off the middle, where superconductors have no states.
        vectors = material.vectors(0.4 * low / 1e3 + 0.6 * high / 1e3)
        cells = (
            f"`{name}`", material.description, ", ".join(material.scatterers),
            f"{low:g} to {high:g}", ", ".join(vectors), material.source,
            f"![{name}](materials/{name}.png)",
        )  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([
        "# Materials",
        "",
        "What `simulate_kernel`, `simulate_map` and `qpi-kernel simulate` know by name. A toy has"
        " the right bands in the right places with round numbers; compare nothing but its pattern.",
        "",
        "Pictures: the kernel of the first scatterer at the bias above it; the logarithm of the"
        " Fourier transform of its ripples (core left out, rim tapered), with the wave vectors that"
        " follow from the dispersion as circles; |F| along one of them against bias, each bias"
        " divided by its maximum, the dispersion dashed. `python docs/scripts/materials_gallery.py`"
        " draws them and writes this page.",
        "",
        "| name | what | scatterers | bias (mV) | wave vectors | source | picture |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
    ])  # fmt: skip


def main():
    """Draw the materials named on the command line, or all, and write the table."""
    folder = DOCS / "materials"
    folder.mkdir(exist_ok=True)
    for name in sys.argv[1:] or MATERIALS:
        start = time.perf_counter()
        path = folder / f"{name}.png"
        draw(MATERIALS[name]).save(path, optimize=True)
        print(f"{name}: {path.stat().st_size / 1e3:.0f} kB, {time.perf_counter() - start:.1f} s")
    (DOCS / "materials.md").write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main()
