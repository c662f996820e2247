"""A paragraph for the methods section of a paper, with the numbers of one result."""

import numpy as np
import numpy.typing as npt

from qpi_kernel import __version__
from qpi_kernel.assessment import Assessment
from qpi_kernel.extract.result import Extraction
from qpi_kernel.maps import pixel_nm
from qpi_kernel.panels import quantity
from qpi_kernel.qspace import half_rim_q, ring_radius

CITATION = (
    'Ji et al., "QPI Kernel Extraction with VAEs via Latent Alignment", arXiv:2506.05325 (2025)'
)
METHOD_WORDS = {
    "aligned": (
        "by latent alignment on the normal equations: an encoder maps the data to the latent space"
        " of a variational autoencoder of simulated kernels, and the decoded kernel is the prior"
        " mean of a Gaussian posterior given the data"
    ),
    "sbd": "by sparse blind deconvolution",
    "wiener": "by regularised least squares (Wiener deconvolution)",
    "average": "by averaging the map over windows centred on the scatterers",
}


def methods_text(result: Extraction, assessment: Assessment | None = None) -> str:
    """Return a paragraph for the methods section of a paper, with the numbers of this result."""
    didv, kernel = result.didv, result.kernel
    dy, dx = pixel_nm(didv)
    rows, columns = didv.sizes["y"], didv.sizes["x"]
    biases = didv["bias"].values
    energies = (
        f"a sample bias of {biases[0]:g} mV"
        if biases.size == 1
        else f"{biases.size} sample biases from {biases[0]:g} to {biases[-1]:g} mV"
    )
    kind = "topography" if quantity(didv.attrs["units"]) == "height" else "dI/dV map"
    facts = [
        f"{words} {didv.attrs[key]:g} {unit}"
        for words, key, unit in (
            ("set-point bias", "setpoint_bias_mV", "mV"),
            ("set-point current", "setpoint_current_pA", "pA"),
            ("modulation", "modulation_mV", "mV"),
        )
        if isinstance(didv.attrs.get(key), int | float)
    ]
    method = str(getattr(result.settings, "method", "aligned"))
    window = [kernel.sizes[dim] * d for dim, d in zip(("x", "y"), (dx, dy), strict=True)]
    kernels = (
        f"{len(result.parts)} kernels, one per species of scatterer"
        if result.parts
        else "one kernel"
    )
    sentences = [
        f"The single-scatterer QPI kernel was extracted from a {kind} of"
        f" {columns * dx:.4g} x {rows * dy:.4g} nm² ({columns} x {rows} points) at {energies}"
        + (f" ({', '.join(facts)})" if facts else "")
        + f" with qpi-kernel {result.provenance.get('version', __version__)}.",
        f"The map is modelled as {kernels} (window {window[0]:.3g} x {window[1]:.3g} nm²)"
        f" convolved with {len(result.scatterers)} scatterers of individual position and weight,"
        f" plus a smooth background and white noise (standard deviation"
        f" {_listed(result.noise)} {didv.attrs['units']} per point).",
        f"The positions were {result.provenance.get('scatterers', 'given')}.",
        f"The kernel was estimated {METHOD_WORDS.get(method, f'with the method {method}')}.",
    ]
    if method == "aligned":
        model, sha256 = (result.provenance.get(key) for key in ("model", "model_sha256"))
        if model and sha256:
            sentences.append(f"The model was {model} (sha256 {sha256[:12]}...).")
        sentences.append(f"The idea of latent alignment is due to {CITATION}.")
    group = kernel.attrs.get("symmetrised")
    sentences.append(
        f"The kernel was symmetrised to {group}." if group else "The kernel was not symmetrised."
    )
    for words, values in (
        ("The strongest ring of its Fourier transform lies at q =", ring_radius(kernel)),
        ("The edge of its Fourier transform (half of the rim) lies at q =", half_rim_q(kernel)),
    ):
        if np.isfinite(values).any():
            sentences.append(f"{words} {_listed(values)} 1/nm (q = 2 pi / wavelength).")
    if assessment is not None:
        verdict = "; ".join([assessment.verdict, *assessment.reasons])
        sentences.append(f"The automatic assessment of the result: {verdict}.")
    return " ".join(sentences) + "\n"


def _listed(values: npt.ArrayLike) -> str:
    """Write up to three numbers out, of more the range."""
    numbers = np.asarray(values, float)
    numbers = numbers[np.isfinite(numbers)]
    if numbers.size > 3:
        return f"{numbers.min():.3g} to {numbers.max():.3g}"
    return ", ".join(f"{number:.3g}" for number in numbers) or "unknown"
