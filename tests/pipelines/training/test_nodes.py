import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import Version
from tests.tiny_network import register_tiny_network

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.datasets import ModelDataset, RecordDataset
from pneumonia.datasets.services import find_models
from pneumonia.model import predict
from pneumonia.model.checkpoint import TrainingStates
from pneumonia.model.compiling import make_loss, make_optimizer
from pneumonia.model.lineage import manifest_digest, weights_digest
from pneumonia.model.predict import load_model
from pneumonia.model.recipe import RecipeContract, make_recipe
from pneumonia.pipelines.training.nodes import METRIC_TITLES, describe_network, draw_training_curves, train_network

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        **{name: [0.5, 0.6, 0.7] for name in METRIC_TITLES},
        **{f"val_{name}": [0.4, 0.8, 0.6] for name in METRIC_TITLES},
        "kept": [0, 1, 0],
        "member": 1,
    }
)


def test_each_metric_is_drawn_for_train_and_val():
    panels = draw_training_curves(HISTORY).axes

    drawn = {panel.get_title(loc="left") or panel.get_title(): panel for panel in panels if panel.axison}
    assert list(drawn) == list(METRIC_TITLES.values())
    for panel in drawn.values():
        train, val, _ = panel.get_lines()
        assert list(train.get_ydata()) == [0.5, 0.6, 0.7]
        assert list(val.get_ydata()) == [0.4, 0.8, 0.6]


def test_the_kept_epoch_is_marked():
    panel = draw_training_curves(HISTORY).axes[0]

    assert list(panel.get_lines()[2].get_xdata()) == [2, 2]


def test_of_several_members_each_has_its_curve_and_its_mark():
    members = pd.concat([HISTORY, HISTORY.assign(member=2, kept=[0, 0, 1])])

    panel = draw_training_curves(members).axes[0]
    assert len(panel.get_lines()) == 2 * 2 + 2
    assert [list(line.get_xdata()) for line in panel.get_lines()[-2:]] == [[2, 2], [3, 3]]
    legend = draw_training_curves(members).axes[-1].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["train", "val", "epoch kept: 2, 3"]
    # Members that are adapted are not judged on folds of train; the page says on what they are.
    assert legend.get_title().get_text().startswith("one line for each of 2 members\n")
    assert "fold of train" not in legend.get_title().get_text()


@pytest.fixture(scope="module")
def parameters(default_parameters):
    """Those of conf/base, for a tiny network and one epoch of tiny images."""
    changes = {
        "inputs": {"image_size": 32},
        "model": {"name": register_tiny_network()},
        "training": {"epochs": 1, "batch_size": 16, "image_scale": 1.0, "seed": 3},
    }
    groups = {name: {**default_parameters[name], **changed} for name, changed in changes.items()}
    return Parameters.model_validate({**default_parameters, **groups, "images": "none"})


@pytest.fixture(scope="module")
def recipe(parameters, tiny_manifest):
    weights = {"NORMAL": 0.75, "PNEUMONIA": 1.25}
    return make_recipe(tiny_manifest, weights, parameters.inputs, parameters.model, parameters.training)


@pytest.fixture(scope="module")
def trained(recipe, parameters, tiny_manifest, tiny_stores, tmp_path_factory):
    """The network, its lineage and its history."""
    folder = tmp_path_factory.mktemp("trained")
    context = {"run_id": "R", "commit": None, "versions": {"split_manifest": "V"}}
    states = TrainingStates(folder / "states", folder / "tensorboard")
    return train_network(tiny_manifest, tiny_stores, recipe, states, parameters.ingest, context)


def test_a_recipe_that_was_saved_has_its_types_again(recipe, tmp_path):
    dataset = RecordDataset(filepath=str(tmp_path / "training_recipe.json"))
    dataset.save(RecipeContract().validate(recipe))

    assert RecipeContract().validate(dataset.load()) == recipe


def test_a_recipe_of_another_release_is_refused_with_what_makes_one(recipe):
    record = json.loads(recipe.model_dump_json())
    del record["training"]["epochs"]
    with pytest.raises(UserError, match=r"\(training\.epochs: .*make it again: .*training\.make_recipe"):
        RecipeContract().validate(record)


def test_a_model_is_trained_with_its_lineage_and_history(trained, tiny_manifest, tiny_store):
    model, lineage, history = trained

    assert model.output_shape == (None, 1)
    assert history[["epoch", "kept", "member"]].to_numpy().tolist() == [[1, 1, 1]]
    assert lineage["weights_sha256"] == weights_digest(model)
    assert lineage["manifest_sha256"] == manifest_digest(tiny_manifest)
    assert (lineage["pixels"], lineage["run_id"], lineage["kept_epochs"]) == (tiny_store.fingerprint, "R", [1])
    assert lineage["class_weights"] == {"NORMAL": 0.75, "PNEUMONIA": 1.25}
    assert lineage["training"]["seed"] == 3


def test_the_lineage_names_the_model_that_the_training_started_from(
    trained, recipe, parameters, tiny_manifest, tiny_stores, tmp_path, monkeypatch
):
    first, lineage, _ = trained
    assert "start" not in lineage
    loaded = []
    monkeypatch.setattr(predict, "load_model", lambda path: loaded.append(path) or load_model(path))
    version = "2026-01-01T00.00.00.000Z"
    models = ModelDataset(filepath=str(tmp_path / "pneumonia_model.keras"), version=Version(version, version))
    models.save(first)

    model = parameters.model.model_copy(update={"weights": version})
    training = parameters.training.model_copy(update={"learning_rate": 1e-9})
    found = find_models(str(tmp_path / "pneumonia_model.keras"))
    recipe = make_recipe(tiny_manifest, recipe.class_weights, parameters.inputs, model, training, found)
    states = TrainingStates(tmp_path / "states", tmp_path / "tensorboard")
    context = {"run_id": "R", "commit": None, "versions": {}}
    second, lineage, _ = train_network(tiny_manifest, tiny_stores, recipe, states, parameters.ingest, context)

    assert lineage["start"] == {"parent": version, "parent_weights_sha256": weights_digest(first)}
    assert loaded == [Path(recipe.model.weights)]  # once, though several networks start from it
    for mine, other in zip(second.trainable_weights, first.trainable_weights, strict=True):
        assert np.allclose(mine, other, atol=1e-6)


def test_a_network_is_described_by_its_layers_its_parameters_and_its_compilation(trained, parameters):
    model, lineage, _ = trained
    text = describe_network(model, lineage)

    assert "features (ReLU)" in text
    assert f"Total params: {model.count_params()} " in text
    said = dict(line.split(": ", 1) for line in text.split("Compiled for training with\n")[1].splitlines())
    training = parameters.training
    assert said["optimizer"].startswith(f"{type(make_optimizer(training, 2)).__name__}(")
    assert f"weight_decay={training.weight_decay}" in said["optimizer"]
    assert f"warmup_target={training.learning_rate}" in said["learning rate"]
    assert said["loss"].startswith(f"{type(make_loss(training, learns_etiologies=False)).__name__}(")
    assert f"label_smoothing={training.label_smoothing}" in said["loss"]
    assert said["metrics"] == "auc, log_loss, accuracy, precision, recall"
    assert said["steps per epoch"] == "2"
