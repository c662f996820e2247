"""How good are the kernels? Every method on the same scenes, of families that training never saw.

`scenes` draws maps with known truth, `trial` lets every method try one of them, `benchmark` goes
through all of them and resumes, `report` makes tables and a figure of what came out.
"""

from qpi_kernel.evaluate.benchmark import EvaluateSettings, iter_evaluate
from qpi_kernel.evaluate.measures import f1_score, ridge_kernels, similarity
from qpi_kernel.evaluate.report import figure, markdown, write_report

__all__ = [
    "EvaluateSettings",
    "f1_score",
    "figure",
    "iter_evaluate",
    "markdown",
    "ridge_kernels",
    "similarity",
    "write_report",
]
