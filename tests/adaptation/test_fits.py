import dataclasses

import numpy as np
import pandas as pd
import pytest
from tests.tiny_network import register_tiny_network

from pneumonia.adaptation.bench import Bench
from pneumonia.adaptation.fits import adapt, make_curve_recipe, make_recipe
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.base.places import OWN
from pneumonia.model.averaging import average_networks
from pneumonia.model.checkpoint import TrainingState, TrainingStates
from pneumonia.model.lineage import weights_digest
from pneumonia.model.networks import make_network
from pneumonia.model.predict import list_networks, predict_stored

FITS = 2 + 1 + 2 * 2  # folds, all, draws of two sizes


@pytest.fixture(scope="module")
def parent():
    """An untrained network that tells etiologies apart, averaged over an image and its mirror image."""
    return average_networks([make_network(register_tiny_network(), 32, etiologies=2, seed=3)], mirror=True)


@pytest.fixture(scope="module")
def lineage(parent, tiny_store):
    return {
        "weights_sha256": weights_digest(parent),
        "pixels": tiny_store.fingerprint,
        "image_size": 32,
        "resize": "squeeze",
        "etiologies": ["bacteria", "virus"],
        "model": {"name": register_tiny_network()},
        "training": {"image_scale": 1.0},
        "mirror_averaged": True,
    }


@pytest.fixture(scope="module")
def parameters(default_parameters):
    adaptation = {
        "epochs": 2,
        "images": 32,
        "learning_rate": 0.01,
        "rehearsal": 0.5,
        "folds": 2,
        "curve_groups": [4],
        "curve_draws": 2,
        "curve_images": 40,
    }
    return {
        **default_parameters,
        "training": {**default_parameters["training"], "batch_size": 8, "deterministic": True, "device": "cpu"},
        "adaptation": {**default_parameters["adaptation"], **adaptation},
    }


@pytest.fixture(scope="module")
def plan(tiny_manifest):
    """Twelve own images, of which four are watched; 24 of the new place in two folds, and four held out."""
    rows = tiny_manifest.assign(place="there", split="new", bits=0, perceptual_hash="", fold=np.arange(40) % 2 + 1)
    rows.loc[:11, ["place", "fold"]] = [OWN, 0]
    rows.loc[:7, "split"] = "train"
    rows.loc[8:11, "split"] = "val"
    rows.loc[36:, ["split", "fold"]] = ["test", 0]
    rows.loc[36:, "target"] = [0, 1, 0, 1]
    return rows.sample(frac=1, random_state=0, ignore_index=True)


@pytest.fixture(scope="module")
def run(parent, lineage, plan, tiny_stores, parameters):
    def run(states, **changes):
        given = {**parameters, "adaptation": {**parameters["adaptation"], **changes}}
        return adapt(parent, lineage, plan, tiny_stores, states, given)

    return run


def states_in(folder, kind=TrainingStates):
    return kind(folder / "states", folder / "logs")


@pytest.fixture(scope="module")
def adapted(run, tmp_path_factory):
    return run(states_in(tmp_path_factory.mktemp("adapted")))


def test_every_new_image_is_judged_before_and_after(adapted, plan, parent, tiny_store):
    scores = adapted.scores
    assert sorted(scores["path"]) == sorted(plan.loc[plan["place"] == "there", "path"])
    assert scores[["before", "after"]].notna().all(axis=None)
    np.testing.assert_allclose(scores["before"], predict_stored(parent, tiny_store, scores["sha256"], 64), atol=1e-6)
    assert (scores["before"] != scores["after"]).all()


def test_held_out_images_are_judged_by_the_model_itself(adapted, tiny_store):
    held_out = adapted.scores[adapted.scores["fold"] == 0]
    said = predict_stored(adapted.model, tiny_store, held_out["sha256"], 64)
    np.testing.assert_allclose(held_out["after"], said, atol=1e-6)
    assert len(held_out) == 4


def test_the_model_has_the_parents_outputs_and_other_weights(adapted, parent):
    assert [output.shape for output in adapted.model.outputs] == [output.shape for output in parent.outputs]
    (network,), (before,) = list_networks(adapted.model), list_networks(parent)
    pairs = zip(network.get_weights(), before.get_weights(), strict=True)
    assert all((one != other).any() for one, other in pairs)


def test_the_last_epoch_is_kept(adapted):
    assert adapted.history["kept"].tolist() == [0, 1]
    assert adapted.facts["kept_epochs"] == [2]
    assert {"loss", "auc", "val_auc", "val_log_loss", "seconds"} <= set(adapted.history.columns)


def test_the_curve_begins_before_and_ends_with_all_other_groups(adapted):
    curve, scores = adapted.curve, adapted.scores
    assert curve.groupby("draw")["groups"].apply(list).tolist() == [[0, 4, 12, 12]] * 2
    for fold, rows in curve.groupby("fold"):
        assert rows["network"].tolist() == ["before", "short", "short", "adapted"]
        judged = scores[scores["fold"] == fold]
        for network, column in (("before", "before"), ("adapted", "after")):
            positive, negative = (judged.loc[judged["target"] == one, column].to_numpy() for one in (1, 0))
            auc = np.mean(np.sign(positive[:, None] - negative) / 2 + 0.5)
            assert rows.set_index("network").loc[network, "auc"] == pytest.approx(auc)


def test_networks_of_the_curve_see_their_groups_alone_and_are_watched_on_the_fold_left_out(run, tmp_path, monkeypatch):
    fits, watched = [], []

    def watch(bench, fit):
        fits.append((fit.label, fit.mixture))
        watched.append(fit.val)
        return fit_as_usual(bench, fit)

    fit_as_usual = Bench.fit
    monkeypatch.setattr(Bench, "fit", watch)
    run(states_in(tmp_path), epochs=1)
    whole, curve = ([mixture for label, mixture in fits if ("draw" in label) is drawn] for drawn in (False, True))
    assert [mixture["place"].value_counts()[OWN] for mixture in whole] == [24] * 3
    assert [(len(mixture), set(mixture["place"])) for mixture in curve] == [(40, {"there"})] * 4
    times = [mixture["sha256"].value_counts() for mixture in curve]
    assert [len(counts) for counts in times] == [4, 12, 4, 12]
    assert max(counts.max() - counts.min() for counts in times) <= 1
    assert [set(val["place"]) for val in watched] == [{OWN}] * 3 + [{"there"}] * 4
    assert [set(val["fold"]) for val in watched[3:]] == [{1}, {1}, {2}, {2}]


def test_no_network_is_drawn_for_a_curve_that_nobody_asked_for(run, tmp_path):
    assert run(states_in(tmp_path), learning_curve=False, epochs=1).curve.empty


@dataclasses.dataclass(frozen=True)
class InterruptedState(TrainingState):
    """A state that Ctrl-C interrupts when it has been written once."""

    def write(self, record, arrays):
        super().write(record, arrays)
        raise KeyboardInterrupt


class ThirdInterrupted(TrainingStates):
    def of(self, key, member=None):
        state = super().of(key, member)
        return InterruptedState(state.path) if member == 3 else state


def test_an_interrupted_adaptation_goes_on_where_it_was(run, adapted, tmp_path, caplog):
    with pytest.raises(UserError, match=r"Interrupted after 1 of 2 epochs of fit 3 of 7"):
        run(states_in(tmp_path, ThirdInterrupted))
    assert len(list((tmp_path / "states").glob("*.npz"))) == 3
    caplog.clear()
    with caplog.at_level("INFO"):
        resumed = run(states_in(tmp_path))
    assert caplog.text.count("epoch 1/2") == 0  # only those after the third begin from the start
    assert caplog.text.count("epoch 1/1") == FITS - 3
    pd.testing.assert_frame_equal(resumed.scores, adapted.scores)
    assert weights_digest(resumed.model) == weights_digest(adapted.model)


def test_the_recipe_is_the_parents_network_with_the_adaptations_epochs(lineage, parameters):
    recipe = make_recipe(lineage, Parameters.model_validate(parameters))
    assert (recipe.training.epochs, recipe.training.learning_rate, recipe.training.warmup_epochs) == (2, 0.01, 0.0)
    assert (recipe.inputs.image_size, recipe.inputs.resize, recipe.etiologies) == (32, "squeeze", ("bacteria", "virus"))
    assert recipe.inputs.augmentation.flip == parameters["inputs"]["augmentation"]["flip"]


def test_an_adaptation_mixes_no_styles(lineage, parameters):
    given = Parameters.model_validate(parameters)
    styled = given.inputs.augmentation.model_copy(update={"histogram": 0.5, "spectrum": 0.4})
    given = given.model_copy(update={"inputs": given.inputs.model_copy(update={"augmentation": styled})})

    found = make_recipe(lineage, given).inputs.augmentation

    assert found == styled.model_copy(update={"histogram": 0.0, "spectrum": 0.0})


def test_the_recipe_has_the_parents_members_and_target_whatever_is_set_now(lineage, parameters):
    parent = {**lineage, "training": {**lineage["training"], "members": 3, "target": "class"}}
    found = make_recipe(parent, Parameters.model_validate(parameters)).training
    assert (found.members, found.target) == (3, "class")
    given = {**parameters, "training": {**parameters["training"], "members": 3}}
    assert make_recipe(lineage, Parameters.model_validate(given)).training.members == 1


def test_networks_of_the_curve_are_averaged_over_few_steps(lineage, parameters):
    whole = make_recipe(lineage, Parameters.model_validate(parameters))
    short = make_curve_recipe(whole).training
    assert (short.epochs, short.weight_averaging, short.learning_rate) == (1, 0.9, 0.01)
    off = whole.model_copy(update={"training": whole.training.model_copy(update={"weight_averaging": 0.0})})
    assert make_curve_recipe(off).training.weight_averaging == 0


def test_each_network_of_a_model_is_adapted(lineage, plan, tiny_stores, parameters, tmp_path):
    networks = [make_network(register_tiny_network(), 32, etiologies=2, seed=seed) for seed in (1, 2)]
    for number, network in enumerate(networks, 1):
        network.name = f"member_{number}"
    parent = average_networks(networks, mirror=True)
    given = {**parameters, "adaptation": {**parameters["adaptation"], "epochs": 1, "learning_curve": False}}
    found = adapt(
        parent, {**lineage, "weights_sha256": weights_digest(parent)}, plan, tiny_stores, states_in(tmp_path), given
    )
    assert [network.name for network in list_networks(found.model)] == ["member_1", "member_2"]
    assert found.history["member"].tolist() == [1, 2]
    first, second = (network.get_weights()[0] for network in list_networks(found.model))
    assert np.abs(first - networks[0].get_weights()[0]).max() < np.abs(first - second).max()
