"""Training on two devices: a processor that TensorFlow treats as two."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def train_on(project, tmp_path):
    def train_on(folder, *arguments):
        path = os.pathsep.join([str(project / "src"), str(project)])
        process = subprocess.run(
            [sys.executable, "-m", "tests.model.two_devices", str(tmp_path / folder), *arguments],
            capture_output=True, text=True, cwd=project, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert process.returncode == 0, process.stderr[-3000:]
        return json.loads(process.stdout.splitlines()[-1])

    return train_on


def test_two_devices_take_the_same_steps_as_one(train_on):
    """Without dropout and batch normalisation, and with whole batches, only the order of sums differs."""
    one, two = (train_on(f"{number}", f"--devices={number}", "--images=40", "--plain") for number in (1, 2))

    assert len(one["history"]["loss"]) == 3
    for name in ("loss", "val_log_loss", "auc", "val_auc"):
        np.testing.assert_allclose(two["history"][name], one["history"][name], rtol=1e-4)


def test_two_gpus_train_without_xla(train_on):
    """A step that XLA compiles must not touch the variables of another device."""
    said = train_on("gpus", "--as-gpus")

    assert len(said["history"]["loss"]) == 3
    assert said["hardware"] == "2 GPU (/device:CPU:0, /device:CPU:1) in float32 without XLA"


def test_an_interrupted_training_goes_on_bit_for_bit_where_the_last_batch_is_smaller(train_on):
    """With 41 images in batches of 8, the last batch has one image, and one of two devices would get none."""
    undisturbed = train_on("undisturbed")
    stopped = train_on("stopped", "--stop-after=2")
    resumed = train_on("stopped")

    assert undisturbed["history"]["kept"] == [0, 0, 1]
    assert "Interrupted after 2 of 3 epochs" in stopped["said"]
    assert resumed == undisturbed
