"""The house stays as ARCHITECTURE.md describes it."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import qpi_kernel

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("src", "napari_qpi_kernel")
    for path in (ROOT / folder).rglob("*.py")
)
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
)
MAX_LINES = 400
GUI_PACKAGES = {"napari", "npe2", "qtpy", "superqt", "magicgui", "PyQt6", "napari_qpi_kernel"}

# What scripts outside the project may call. To add a name is fine; to take one away or change it
# needs a note in docs/decisions and a deprecation.
PUBLIC_NAMES = [
    "Analysis",
    "Assessment",
    "BandFit",
    "BatchItem",
    "Companions",
    "CurveSettings",
    "Dispersion",
    "DistortionSettings",
    "ExportError",
    "ExtractSettings",
    "Extraction",
    "LocateSettings",
    "MapError",
    "PipelineResult",
    "PipelineSettings",
    "PrepareSettings",
    "PreprocessError",
    "Progress",
    "PublicSample",
    "QpiError",
    "ReadError",
    "Scatterers",
    "SimulatedMap",
    "analyse",
    "angular_profile",
    "antisymmetric_part",
    "apply_affine",
    "assess",
    "asymmetry",
    "average_traces",
    "band_similarity",
    "brillouin_zone",
    "check_map",
    "crop",
    "despike",
    "displacement_field",
    "drain",
    "draw_kernels",
    "drift_matrix",
    "export_result",
    "extract_kernel",
    "find_bragg_peaks",
    "find_scatterers",
    "fit_band",
    "fold_amplitudes",
    "haem",
    "half_rim_q",
    "iter_batch",
    "iter_extract",
    "iter_find_scatterers",
    "iter_locate",
    "iter_run",
    "kernel_fft",
    "lattice_matrix",
    "level",
    "level_rows",
    "line_cut",
    "load_result",
    "load_scatterers",
    "locate_scatterers",
    "make_map",
    "map_fft",
    "mask_clusters",
    "mask_cores",
    "mask_scatterers",
    "measure_dispersion",
    "nearest_bias",
    "normalise",
    "phase_referenced",
    "prepare",
    "propose_species",
    "q_correlation",
    "radial_average",
    "radial_profile",
    "ray_profile",
    "read_file",
    "read_public_sample",
    "reciprocal_lattice",
    "remove_hum",
    "remove_streaks",
    "resample",
    "result_figure",
    "ring_radius",
    "run",
    "run_batch",
    "save_profile",
    "save_scatterers",
    "select_didv",
    "select_topography",
    "shift_between",
    "simulate_kernel",
    "simulate_map",
    "symmetrise",
    "track_peaks",
    "undistort",
    "write_map",
    "write_public_samples",
    "write_simulation",
]


def run_python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def paths_in_the_tree():
    """Paths of the tree in ARCHITECTURE.md: indented names belong to the folder above them."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folder, paths = "", []
    for line in re.search(r"```text\n(.*?)```", text, re.DOTALL).group(1).splitlines():
        if not line.strip():
            continue
        name = line.split()[0]
        if line[0] != " ":
            folder = name if name.endswith("/") else ""
            paths.append(name)
        else:
            paths.append(folder + name)
    return paths


def test_import_contracts_hold():
    code = "from importlinter.cli import lint_imports_command as main; main(['--no-logo'])"
    outcome = run_python(code)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_every_path_of_the_tree_exists():
    paths = paths_in_the_tree()
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert len(paths) == len(set(paths))


def test_every_source_file_is_in_the_tree():
    assert [path for path in SOURCES if path not in paths_in_the_tree()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    local = [target for target in targets if "://" not in target]
    assert [t for t in local if not ((ROOT / document).parent / t).exists()] == []


def test_public_names_are_the_stored_ones_and_documented():
    assert sorted(qpi_kernel.__all__) == PUBLIC_NAMES
    assert [name for name in PUBLIC_NAMES if not getattr(qpi_kernel, name).__doc__] == []


def test_no_public_name_is_hidden_by_its_module():
    # A module that is imported takes the place of a public function of the same name, unless
    # lazy_loader (since 0.6) guards against it.
    outcome = run_python(
        "import importlib, pkgutil, types, qpi_kernel\n"
        "for module in pkgutil.walk_packages(qpi_kernel.__path__, 'qpi_kernel.'):\n"
        "    importlib.import_module(module.name)\n"
        "values = {name: getattr(qpi_kernel, name) for name in qpi_kernel.__all__}\n"
        "print(*[n for n, value in values.items() if isinstance(value, types.ModuleType)])"
    )
    assert (outcome.stdout.strip(), outcome.returncode) == ("", 0), outcome.stderr


@pytest.mark.skipif(importlib.util.find_spec("npe2") is None, reason="napari is not installed")
def test_every_command_of_the_manifest_resolves():
    outcome = run_python(
        "import os, sys\n"
        "os.environ['QT_QPA_PLATFORM'] = 'offscreen'\n"
        "from npe2 import PluginManifest\n"
        "manifest = PluginManifest.from_file('napari.yaml')\n"
        "assert manifest.contributions.commands\n"
        "manifest.validate_imports()\n"
    )
    assert outcome.returncode == 0, outcome.stderr


def test_importing_the_library_is_cheap():
    outcome = run_python(
        "import sys, qpi_kernel\n"
        "heavy = {'torch', 'xarray', 'scipy', 'skimage', 'matplotlib', 'napari'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    assert outcome.stdout.strip() == "", outcome.stdout + outcome.stderr


@pytest.mark.parametrize("path", SOURCES)
def test_a_source_file_is_one_readable_idea(path):
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_LINES
    assert not lines or lines[0].startswith('"""'), "says in its first line what it is"
    assert Path(path).stem not in {"utils", "helpers", "core", "common", "misc"}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests" / "library").rglob("*.py")), ids=lambda path: path.stem
)
def test_library_tests_run_without_napari(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported & GUI_PACKAGES == set()


SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("benchmarks", "docs/scripts")
    for path in (ROOT / folder).glob("*.py")
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_import_what_is_there(script):
    imports = [
        node
        for node in ast.walk(ast.parse((ROOT / script).read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("qpi_kernel")
    ]
    for node in imports:
        module = importlib.import_module(node.module)
        for name in (each.name for each in node.names):
            # A submodule is no attribute of its package before somebody imports it.
            file = Path(str(module.__file__)).parent / f"{name}.py"
            assert hasattr(module, name) or file.exists(), f"{script}: no {node.module}.{name}"
