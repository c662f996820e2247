"""What runs elsewhere is spelt right: the workflows of the repository."""

import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="comes with dask")
ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
KEYS = {"name", "on", "permissions", "concurrency", "jobs"}
JOB_KEYS = {"name", "runs-on", "timeout-minutes", "strategy", "environment", "permissions", "steps"}
STEP_KEYS = {"name", "if", "uses", "with", "run", "env"}


def read(path):
    # YAML 1.1 reads a bare "on" as true.
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in content.items()}


def steps_of(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_the_form_that_its_machine_knows(path):
    workflow = read(path)
    assert set(workflow) <= KEYS
    assert {"name", "on", "permissions", "jobs"} <= set(workflow)
    # Nobody may write with the token of a run.
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert set(job) <= JOB_KEYS
        assert "runs-on" in job
    for step in steps_of(workflow):
        assert set(step) <= STEP_KEYS
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", step.get("uses", "a/b@v1"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_what_exists(path):
    commands = [step.get("run", "") for step in steps_of(read(path))]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands:
        for target in re.findall(r"make ([\w-]+)", command):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
        for name in re.findall(r"(?:^|\s)((?:\.ci|tests|scripts)/[\w./-]+)", command):
            assert (ROOT / name).exists(), name


def test_vulnerabilities_are_looked_for():
    commands = [step.get("run", "") for path in WORKFLOWS for step in steps_of(read(path))]
    assert any("pip_audit" in command for command in commands)
