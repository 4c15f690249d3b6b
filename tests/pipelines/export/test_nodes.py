import json

import pytest

from pneumonia.base.errors import UserError
from pneumonia.model.lineage import weights_digest
from pneumonia.pipelines.export.nodes import complete_export, convert_model, measure_parity

RATE = {"value": 0.9, "low": 0.8, "high": 0.95}
RESULT = {"auc": RATE, "sensitivity": RATE, "specificity": RATE, "n": 8, "n_groups": 7}


@pytest.fixture(scope="module")
def candidate(trained_model):
    return convert_model(**trained_model)


@pytest.fixture(scope="module")
def parity(candidate, tiny_manifest, tiny_stores, trained_model):
    return measure_parity(candidate, tiny_manifest, tiny_stores, **trained_model)


@pytest.fixture(scope="module")
def given(network):
    """What is written beside the files: metrics, the run, and a test elsewhere."""
    traced = ("run_id", "commit", "versions", "manifest_sha256", "pixels", "positive_class")
    model = {**dict.fromkeys(traced, "x"), "weights_sha256": weights_digest(network), "etiologies": []}
    return {
        "metrics": {"test": RESULT},
        "run_record": {
            "model": {**model, "training": {"seed": 0}},
            "data": {"n_images": 40, "n_groups": 40},
            "parameters": {"report": {"source": "unknown", "population": "unknown"}},
        },
        "external_records": {"1": {"model_version": "V", "external": {**RESULT, "n": 5}}},
    }


def test_the_files_are_those_of_the_model_and_pass(candidate, parity):
    assert {"model.onnx", "model.tflite"} <= set(candidate)
    assert parity["failures"] == []
    assert parity["images"] == {"val": 8, "test": 8}


def test_files_that_passed_are_completed_with_both_results(candidate, parity, given, trained_model):
    exported = complete_export(candidate, parity, **given, **trained_model)

    contract = json.loads(exported["model.json"])
    assert [contract["results"][place]["n"] for place in ("test", "external")] == [8, 5]
    assert contract["versions"]["model"] == "V"
    assert exported["predict.py"]


def test_another_manifest_than_the_models_is_refused(candidate, tiny_manifest, tiny_stores, trained_model):
    with pytest.raises(UserError, match="The model was trained with the manifest"):
        measure_parity(candidate, tiny_manifest[:-1], tiny_stores, **trained_model)
