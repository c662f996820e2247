"""How true are masses and band edges from extracted kernels? Prints a Markdown table.

    python benchmarks/dispersion.py [--seeds 8] [--method aligned]

Maps of surface states with known parabolic bands, positions given, all biases extracted in one run;
then `measure_dispersion` and `fit_band`, whose errors have to be those of the deviations (pull 1).
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np

import qpi_kernel as qk
from qpi_kernel.simulate.materials import find_material


@dataclass(frozen=True)
class Case:
    material: str
    biases_mV: tuple[float, float, int]
    size_nm: float
    window_nm: float
    q_range: tuple[float, float]
    scatterers: int
    snr: float
    multiple_scattering: bool = False
    pixels: int = 128

    def __str__(self) -> str:
        low, high, count = self.biases_mV
        waves = ", waves visit several" if self.multiple_scattering else ""
        return (
            f"{self.material}, {count} from {low:g} to {high:g} mV, {self.size_nm:g} nm,"
            f" {self.scatterers} scatterers{waves}, SNR {self.snr:g}"
        )


AG = ("ag111", (-20.0, 100.0, 9), 50.0, 20.0, (1.0, 4.0))
CU = ("cu111", (-300.0, 100.0, 9), 25.0, 10.0, (2.0, 7.0))
CASES = (
    Case(*AG, 25, 20.0),
    Case(*AG, 25, 10.0),
    Case(*AG, 15, 10.0),
    Case(*AG, 15, 2.0),
    Case(*AG, 15, 10.0, multiple_scattering=True),
    Case(*CU, 25, 10.0),
)


def fitted(case: Case, seed: int, method: str) -> qk.BandFit:
    simulated = qk.simulate_map(
        case.material,
        bias_mV=np.linspace(*case.biases_mV).tolist(),
        size_nm=case.size_nm,
        pixels=case.pixels,
        scatterers=case.scatterers,
        snr=case.snr,
        seed=seed,
        multiple_scattering=case.multiple_scattering,
    )
    settings = qk.ExtractSettings(method=method, window_nm=case.window_nm)
    result = qk.extract_kernel(simulated.didv, simulated.scatterers, settings)
    dispersion = qk.measure_dispersion(result.kernel, result.spread, q_range=case.q_range)
    return qk.fit_band(dispersion)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--method", default="aligned", choices=["aligned", "wiener"])
    arguments = parser.parse_args()
    print(
        "| maps | m* (m_e) | true | off by, % rms (most) | pull | E0 (meV) | true |"
        " off by, meV rms (most) | pull | chi²/dof | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        band = find_material(case.material).band
        truth = {"mass_me": band.mass, "E0_meV": 1e3 * band.edge_eV}
        start = time.perf_counter()
        fits = [fitted(case, seed, arguments.method) for seed in range(1, arguments.seeds + 1)]
        seconds = (time.perf_counter() - start) / len(fits)
        columns = []
        for name, true in truth.items():
            values, errors = (
                np.array([getattr(fit, kind)[name] for fit in fits])
                for kind in ("values", "errors")
            )
            off = values - true
            pull = np.sqrt(np.mean((off / errors) ** 2))
            shown = 100 * off / true if name == "mass_me" else off
            digits = 4 if name == "mass_me" else 1
            columns += [
                f"{values.mean():.{digits}f} ± {errors.mean():.{digits}f}",
                f"{true:g}",
                f"{np.sqrt(np.mean(shown**2)):.1f} ({np.abs(shown).max():.1f})",
                f"{pull:.1f}",
            ]
        chi2 = np.mean([fit.chi2 / fit.degrees_of_freedom for fit in fits])
        print(f"| {case} | {' | '.join(columns)} | {chi2:.2f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
