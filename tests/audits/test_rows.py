import numpy as np
import pandas as pd
import pytest

from pneumonia.audits.rows import paired_loss


@pytest.fixture
def clean():
    rng = np.random.default_rng(0)
    target = np.arange(300) % 2
    probability = 1 / (1 + np.exp(-3 * (target - 0.5) - rng.normal(size=300)))
    paths = [f"{index}.jpeg" for index in range(300)]
    return pd.DataFrame(
        {"path": paths, "target": target, "group": np.arange(300) // 2 * 2 + target, "probability": probability}
    )


def test_the_loss_is_that_of_the_same_images_in_whatever_order(clean):
    damaged = clean.assign(probability=clean["probability"] + np.random.default_rng(1).normal(size=300) / 5)
    found = paired_loss("loss", clean, damaged)
    assert found == paired_loss("loss", clean, damaged.sample(frac=1, random_state=0))
    assert found["loss_low"] < found["loss"] < found["loss_high"]
    assert found["loss"] > 0


def test_images_as_they_were_lose_exactly_nothing(clean):
    assert paired_loss("loss", clean, clean) == {"loss": 0.0, "loss_low": 0.0, "loss_high": 0.0}
