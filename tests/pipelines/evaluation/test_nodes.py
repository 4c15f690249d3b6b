import json

import numpy as np
import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.metrics.breakdowns import measure_subgroups
from pneumonia.metrics.decisions import decide, make_decision
from pneumonia.metrics.registry import METRICS
from pneumonia.metrics.summary import compute_metrics, tabulate_metrics
from pneumonia.model.scoring import check_model, score_images, score_train_sample
from pneumonia.pixels.decoding import fingerprint
from pneumonia.pixels.store import PixelStores


def test_a_model_is_refused_with_a_manifest_that_is_not_its_own(tiny_network, tiny_lineage, tiny_manifest, tiny_stores):
    other = tiny_manifest.assign(split=tiny_manifest["split"].to_numpy()[::-1])
    with pytest.raises(UserError, match=r"trained with the manifest [0-9a-f]{12}, but this one is [0-9a-f]{12}"):
        check_model(tiny_network, tiny_lineage, other, tiny_stores)


@pytest.mark.parametrize(("image_size", "resize"), [(64, "squeeze"), (32, "pad")])
def test_a_model_whose_size_or_decoding_is_not_stored_is_refused(
    tiny_network, tiny_lineage, tiny_manifest, tiny_stores, image_size, resize
):
    other = {"image_size": image_size, "resize": resize, "pixels": fingerprint(image_size, resize)}
    with pytest.raises(UserError, match="There are no pixels in"):
        check_model(tiny_network, tiny_lineage | other, tiny_manifest, tiny_stores)


def test_a_model_of_another_decoder_is_refused_before_its_pixels_are_missed(
    tiny_network, tiny_lineage, tiny_manifest, tmp_path
):
    other = tiny_lineage | {"pixels": "32-squeeze-decoder0"}
    with pytest.raises(UserError, match="fingerprint 32-squeeze-decoder0, but images now get 32-squeeze-decoder1"):
        check_model(tiny_network, other, tiny_manifest, PixelStores(tmp_path))


def test_a_model_with_its_own_manifest_and_pixels_is_accepted(tiny_network, tiny_lineage, tiny_manifest, tiny_stores):
    assert check_model(tiny_network, tiny_lineage, tiny_manifest, tiny_stores) == tiny_lineage


def test_a_lineage_of_another_model_is_refused(tiny_network, tiny_lineage, tiny_manifest, tiny_stores):
    with pytest.raises(UserError, match="model_lineage was made for the model with the weights ab"):
        check_model(tiny_network, tiny_lineage | {"weights_sha256": "ab"}, tiny_manifest, tiny_stores)


def test_each_validation_and_test_image_is_scored_once_in_the_manifests_order(
    tiny_network, tiny_manifest, tiny_store, tiny_pixels, parameters
):
    scores = score_images(tiny_network, tiny_manifest, *tiny_pixels, parameters)
    expected = tiny_manifest[tiny_manifest["split"] != "train"]
    assert scores["path"].tolist() == expected["path"].tolist()
    for row, sha256 in zip(scores.itertuples(), expected["sha256"], strict=True):
        image = tiny_store.read(tiny_store.rows([sha256]))
        assert row.probability == pytest.approx(float(tiny_network(image)[0, 0]), abs=1e-5)


def test_a_network_that_tells_no_etiologies_apart_finds_none_likely(
    tiny_network, tiny_manifest, tiny_pixels, parameters
):
    assert set(score_images(tiny_network, tiny_manifest, *tiny_pixels, parameters)["likeliest_etiology"]) == {"unknown"}


def test_the_likeliest_etiology_is_that_of_the_second_output_without_its_negative_column(
    tiny_network, tiny_manifest, tiny_pixels, parameters
):
    import keras

    image = keras.Input((32, 32, 1))
    probability = tiny_network(image)
    shares = keras.ops.concatenate([1 - probability, 0.4 * probability, 0.6 * probability], axis=1)
    model = keras.Model(image, [probability, shares])

    stores, lineage = tiny_pixels
    lineage = {**lineage, "etiologies": ["bacteria", "virus"]}
    scores = score_images(model, tiny_manifest, stores, lineage, parameters)

    assert set(scores["likeliest_etiology"]) == {"virus"}
    assert scores["etiology_score"].to_numpy() == pytest.approx(0.4)
    assert scores["probability"].equals(
        score_images(tiny_network, tiny_manifest, *tiny_pixels, parameters)["probability"]
    )


def test_the_sample_of_training_images_has_the_size_that_was_asked_for(
    tiny_network, tiny_manifest, tiny_pixels, parameters
):
    asked = parameters.model_copy(update={"train_images": 10})
    sample = score_train_sample(tiny_network, tiny_manifest, *tiny_pixels, asked)
    assert len(sample) == 10
    assert set(sample["split"]) == {"train"}
    assert sample["path"].is_monotonic_increasing


@pytest.mark.parametrize("rule", ["fixed", "youden", "sensitivity_floor", "specificity_floor", "cost_ratio"])
@pytest.mark.parametrize("calibration", ["logistic", "isotonic", "none"])
def test_the_decision_does_not_change_when_test_is_shuffled(scores, parameters, rule, calibration):
    asked = parameters.model_copy(update={"threshold_rule": rule, "calibration": calibration})
    test = scores["split"] == "test"
    rng = np.random.default_rng(0)
    shuffled = scores.copy()
    shuffled.loc[test, "target"] = rng.permutation(scores.loc[test, "target"])
    shuffled.loc[test, "probability"] = rng.random(test.sum())
    assert make_decision(scores, {}, asked) == make_decision(shuffled, {}, asked)


def test_the_decision_says_what_it_was_fitted_on(scores, decision):
    val = scores[scores["split"] == "val"]
    assert decision["fitted_on"] == {"split": "val", "n": len(val), "n_groups": val["group"].nunique()}
    assert decision["threshold"] == 0.5
    assert decision["weights_sha256"] == "ab" * 32


def test_validation_images_of_one_class_are_refused(scores, parameters):
    one_class = scores[(scores["split"] == "test") | (scores["target"] == 1)]
    with pytest.raises(UserError, match="All validation images are of one class"):
        make_decision(one_class, {}, parameters)


def test_an_image_at_the_threshold_is_called_positive():
    scores = pd.DataFrame({"probability": [0.29, 0.3, 0.31]})
    predictions = decide(scores, {"threshold": 0.3, "calibration": {"method": "none"}})
    assert predictions["decision"].tolist() == [0, 1, 1]
    assert list(scores) == ["probability"]


def test_metrics_have_the_layout_that_people_rely_on(metrics, predictions, decision):
    assert set(metrics) == {"val", "test"}
    for split, record in metrics.items():
        part = predictions[predictions["split"] == split]
        assert set(record["auc"]) == {"value", "low", "high"}
        assert {*METRICS, "n", "n_groups", "threshold", "confusion"} <= set(record)
        assert record["n"] == len(part) == sum(record["confusion"].values())
        assert record["n_groups"] == part["group"].nunique()
        assert record["threshold"] == decision["threshold"]
        assert list(record["confusion"]) == ["tn", "fp", "fn", "tp"]
        wrong = part["decision"] != part["target"]
        assert record["confusion"]["fn"] == (wrong & (part["target"] == 1)).sum()


def test_validation_is_marked_as_optimistic(metrics):
    assert metrics["val"]["optimistic"]
    assert not metrics["test"]["optimistic"]


def test_metrics_are_json_without_nan(predictions, decision, parameters):
    nothing_called = predictions.assign(decision=0)
    metrics = compute_metrics(nothing_called, decision, parameters)
    assert metrics["test"]["precision"] == {"value": None, "low": None, "high": None}
    json.dumps(metrics, allow_nan=False)


def test_the_figures_at_one_half_are_those_of_a_threshold_of_one_half(predictions, decision, parameters):
    strict = predictions.assign(decision=(predictions["probability"] >= 0.9).astype(int))
    metrics = compute_metrics(strict, decision | {"threshold": 0.9}, parameters)
    at_half = compute_metrics(predictions, decision, parameters)
    assert metrics["test"]["at_half"]["sensitivity"] == at_half["test"]["sensitivity"]["value"]
    assert metrics["test"]["at_half"]["confusion"] == at_half["test"]["confusion"]
    assert metrics["test"]["sensitivity"]["value"] < at_half["test"]["sensitivity"]["value"]


def test_a_test_set_of_one_class_is_refused(predictions, decision, parameters):
    one_class = predictions[(predictions["split"] == "val") | (predictions["target"] == 0)]
    with pytest.raises(UserError, match="All test images are of one class"):
        compute_metrics(one_class, decision, parameters)


def test_the_table_of_metrics_has_a_row_for_each_metric_and_split(metrics):
    table = tabulate_metrics(metrics)
    assert len(table) == 2 * len(METRICS)
    row = table[(table["split"] == "test") & (table["metric"] == "auc")].iloc[0]
    assert (row["value"], row["low"], row["high"]) == tuple(metrics["test"]["auc"].values())


def test_sensitivity_is_measured_for_each_etiology_that_is_known(predictions, parameters):
    subgroups = measure_subgroups(predictions).set_index(["split", "subgroup"])
    assert set(subgroups.loc["test"].index) == {"all NORMAL", "all PNEUMONIA", "bacteria", "virus"}
    part = predictions[(predictions["split"] == "test") & (predictions["etiology"] == "virus")]
    row = subgroups.loc[("test", "virus")]
    assert row["value"] == part["decision"].mean()
    assert row["n"] == len(part)
    assert row["n_groups"] == part["group"].nunique()
    assert subgroups.loc[("test", "all NORMAL"), "metric"] == "specificity"


def test_an_unknown_etiology_is_no_subgroup(predictions, parameters):
    unknown = predictions.assign(etiology=predictions["etiology"].where(predictions["target"] == 0, "unknown"))
    subgroups = measure_subgroups(unknown)
    assert set(subgroups["subgroup"]) == {"all NORMAL", "all PNEUMONIA"}
