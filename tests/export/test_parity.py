import json

import numpy as np
import onnx
import pytest

from pneumonia.base.errors import UserError
from pneumonia.export.convert import ONNX, convert_model
from pneumonia.export.parity import Outputs, check_parity, compare, list_failures, measure_parity


@pytest.fixture
def answers(predictor):
    """Outputs that keep to the rules: `answers(0.2, 0.8, distance=2)`."""

    def answers(*probabilities, distance=0.5):
        probability, away = np.array(probabilities, float), np.full((len(probabilities), 2), distance)
        return Outputs(probability, away, predictor.answer(probability, away))

    return answers


@pytest.fixture(scope="module")
def parity(files, predictor, tiny_manifest, tiny_store):
    return measure_parity(files, predictor, tiny_manifest, tiny_store)


def test_what_was_converted_passes(parity, files):
    assert parity["failures"] == []
    assert parity["images"] == {"val": 8, "test": 8}
    for name in ("model.onnx", "model.tflite", "saved_model"):
        for batch in ("batch_64", "batch_1"):
            record = parity["formats"][name][batch]
            assert record["n"] == 16
            assert record["largest_difference"] < 1e-4
            assert record["decision_flips"] == 0
    check_parity(parity, files)


def test_the_record_can_be_written_as_json(parity):
    assert json.loads(json.dumps(parity, allow_nan=False)) == parity


def break_weights(content, value):
    """Change one kernel of an ONNX file."""
    model = onnx.load_from_string(content)
    kernel = max(model.graph.initializer, key=lambda weights: np.prod(weights.dims))
    changed = onnx.numpy_helper.to_array(kernel) * value
    kernel.CopyFrom(onnx.numpy_helper.from_array(changed.astype(np.float32), kernel.name))
    return model.SerializeToString()


@pytest.mark.parametrize("value", [1.01, 0.0, np.nan])
def test_broken_weights_shut_the_gate(files, predictor, tiny_manifest, tiny_store, value):
    broken = {**files, ONNX: break_weights(files[ONNX], value)}
    parity = measure_parity(broken, predictor, tiny_manifest, tiny_store)

    assert parity["failures"]
    assert {failure.partition(",")[0] for failure in parity["failures"]} == {"model.onnx"}
    json.dumps(parity, allow_nan=False)
    with pytest.raises(UserError, match=r"do not match the Keras model.*model\.onnx, batch size 64: prob"):
        check_parity(parity, broken)


def test_files_that_were_not_compared_are_refused(parity, files):
    with pytest.raises(UserError, match="not the ones that were compared"):
        check_parity(parity, {**files, ONNX: break_weights(files[ONNX], 1.01)})


def test_a_difference_is_the_largest_of_either_sign(answers, predictor):
    record = compare(answers(0.2, 0.8), answers(0.2, 0.75), predictor)

    assert record["largest_difference"] == pytest.approx(0.05)
    assert record["decision_flips"] == 0


def test_a_decision_that_flips_shuts_the_gate_however_small_the_difference(answers, predictor):
    record = compare(answers(0.5), answers(0.49999), predictor)

    assert record["decision_flips"] == 1
    assert list_failures({"model.onnx": {"batch_1": record}}) == ["model.onnx, batch size 1: 1 of 1 decisions flip"]


def test_what_is_not_finite_shuts_the_gate(answers, predictor):
    record = compare(answers(0.7), answers(np.nan), predictor)

    assert record["largest_difference"] is None
    assert "probabilities differ by None" in list_failures({"model.onnx": {"batch_1": record}})[0]


def test_distances_are_compared_as_shares_and_flips_at_the_bound_are_only_counted(answers, predictor):
    same = compare(answers(0.7, distance=1.0), answers(0.7, distance=1.0001), predictor)
    far = compare(answers(0.7, distance=100.0), answers(0.7, distance=100.05), predictor)
    wrong = compare(answers(0.7, distance=0.2), answers(0.7, distance=0.3), predictor)

    assert same["range_flips"] == 1
    assert list_failures({"a": {"batch_1": same}}) == []
    assert list_failures({"a": {"batch_1": far}}) == []
    assert list_failures({"a": {"batch_1": wrong}})[0].startswith("a, batch size 1: distances differ by 0.0")


def test_answers_that_do_not_follow_from_the_rest_shut_the_gate(answers, predictor):
    said = answers(0.2, 0.8)
    swapped = compare(said, said._replace(answer=said.answer[::-1]), predictor)

    assert list_failures({"a": {"batch_1": swapped}}) == ["a, batch size 1: 2 of 2 answers break the rules"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("residual_cnn", {"etiologies": 2}),
        ("residual_cnn", {"members": 2, "mirror": True}),
        ("separable_cnn", {}),
        ("separable_cnn", {"members": 2, "etiologies": 2, "mirror": True}),
    ],
)
def test_every_kind_of_model_passes(make, predictor_of, tiny_manifest, tiny_store, name, how):
    predictor = predictor_of(make(name, **how))
    files = convert_model(predictor)

    assert measure_parity(files, predictor, tiny_manifest, tiny_store)["failures"] == []
