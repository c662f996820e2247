import os
import subprocess
import sys

import torch

from qpi_kernel.learn import replicas
from qpi_kernel.learn.build import ModelRecipe
from qpi_kernel.learn.model import load_model
from qpi_kernel.settings import save
from qpi_kernel.simulate.bank import BankSettings


def test_without_torchrun_there_is_one_process():
    with replicas.joined(torch.device("cpu")) as device:
        assert device == torch.device("cpu")
        assert (replicas.rank(), replicas.count()) == (0, 1)
    module = torch.nn.Linear(1, 1)
    assert replicas.shared(module) is module


def test_two_processes_train_one_model(recipe, tmp_path):
    bank = BankSettings(families=("parabolic", "warped"), count=8)
    whole = ModelRecipe(
        name="pair", bank=bank, validation=bank, training=recipe, calibration_batches=1
    )
    save(whole, tmp_path / "recipe.toml")
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--no-python"]
    command = ["-c", "import sys; from qpi_kernel.cli import main; sys.exit(main())", "train"]
    options = ["--recipe", str(tmp_path / "recipe.toml"), "--out", str(tmp_path)]
    run = subprocess.run(
        [sys.executable, *launch, sys.executable, *command, *options, "--device", "cpu"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.count("wrote ") == 1
    assert load_model(tmp_path / "pair.safetensors").card["name"] == "pair"
