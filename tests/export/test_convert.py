import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml

from pneumonia.base.errors import UserError
from pneumonia.export import convert
from pneumonia.export.convert import LITERT, ONNX, OUTPUTS, calibrate, check_extra, complete_graph, find_answer
from pneumonia.metrics.calibration import apply_calibration
from pneumonia.model.predict import _coarse_map, first_network, forward
from pneumonia.predictor.image_range import describe_grey, describe_values
from pneumonia.predictor.predictor import answers


def shape(value):
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def test_the_onnx_file_takes_bytes_and_has_its_outputs_in_order(files):
    graph = onnx.load_from_string(files[ONNX]).graph

    assert [(value.name, shape(value)) for value in graph.input] == [("image", ["n", 32, 32, 1])]
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [(value.name, shape(value)) for value in graph.output] == [
        ("probability", ["n", 1]),
        ("answer", ["n", 1]),
        ("distance", ["n", 2]),
        ("map", ["n", 2, 2]),
        ("etiology", ["n", 3]),
    ]


def test_every_format_is_there(files):
    assert {path.partition("/")[0] for path in files} == {ONNX, LITERT, "saved_model"}
    assert "saved_model/saved_model.pb" in files


def test_no_operation_of_tensorflow_is_in_a_litert_file(files):
    assert b"Flex" not in files[LITERT]


def test_a_network_of_whose_constants_inputs_became_is_refused(files):
    model = onnx.load_from_string(files[ONNX])
    model.graph.input.append(onnx.helper.make_tensor_value_info("normalization/Sub/y:0", onnx.TensorProto.FLOAT, [1]))

    with pytest.raises(UserError, match=r"cannot be exported: .*\(normalization/Sub/y:0 is one of them\)"):
        convert._in_order(model.SerializeToString())


def test_a_missing_package_is_named_with_the_extra_that_has_it(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(convert, "find_spec", lambda name: None if name == "tf2onnx" else find(name))

    with pytest.raises(UserError, match=r"not installed: tf2onnx\. Install them with: .*\[export\]"):
        check_extra()


CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/cases.yml").read_text(encoding="utf-8"))


def ask(predictor, pixels):
    return complete_graph(predictor.model, predictor.decision, predictor.image_range).predict_on_batch(pixels)


def test_the_probability_is_the_calibrated_one_and_the_etiology_the_models_own(predictor, pixels):
    said = ask(predictor, pixels)
    probability, etiology = forward(predictor.model, pixels, 64)

    calibrated = apply_calibration(probability, predictor.decision["calibration"])
    assert said["probability"] == pytest.approx(calibrated, abs=1e-6)
    assert said["etiology"] == pytest.approx(etiology, abs=1e-6)
    assert probability.min() < 0.4
    assert probability.max() > 0.6


@pytest.mark.parametrize("is_zoomed", [False, True])
def test_the_distances_are_those_of_the_predictor(make, zoomed, predictor_of, pixels, is_zoomed):
    network = make("residual_cnn", etiologies=2)
    predictor = predictor_of(zoomed(network, whole=True) if is_zoomed else make("residual_cnn", 2))
    expected = predictor.measure(pixels, 64)[1]

    assert ask(predictor, pixels)["distance"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("size", [32, 50, 130])
def test_the_grey_values_are_described_as_outside_of_the_graph(size):
    from keras import ops

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, size, size, 1)).astype(np.uint8)
    images[0] = 7  # blank
    images[1, : size // 2] = 255
    described = describe_values(ops.cast(images[..., 0], "float32"), ops)

    assert np.asarray(described) == pytest.approx(describe_grey(images), abs=2e-5)


@pytest.mark.parametrize(("record", "expected"), CASES["calibration"].values(), ids=CASES["calibration"])
def test_the_graph_calibrates_as_the_project_does(record, expected):
    before, after = np.array(list(expected)), list(expected.values())

    assert apply_calibration(before, record) == pytest.approx(after, abs=1e-6)
    graph = calibrate(np.float32(before)[:, None], record)
    assert np.asarray(graph)[:, 0] == pytest.approx(after, abs=1e-6)


@pytest.mark.parametrize(("threshold", "probability", "grey", "features", "said"), CASES["answers"])
def test_the_graph_answers_as_the_predictor_does(predictor, monkeypatch, threshold, probability, grey, features, said):
    monkeypatch.setitem(predictor.decision, "threshold", threshold)
    probability, distance = np.float32([probability]), np.float32([[grey, features]])

    expected = int(predictor.answer(probability.astype(np.float64), distance.astype(np.float64))[0])
    place = int(find_answer(probability[:, None], distance, threshold)[0, 0])

    assert place == expected
    assert "".join(answers(["NORMAL", "PNEUMONIA"])[place]).endswith(said)


@pytest.mark.parametrize(("etiologies", "is_zoomed"), [(0, False), (2, False), (2, True)])
def test_the_map_is_that_of_grad_cam_on_the_whole_image(make, zoomed, predictor_of, pixels, etiologies, is_zoomed):
    network = make("residual_cnn", etiologies=etiologies, mirror=not is_zoomed)
    predictor = predictor_of(zoomed(network, whole=True) if is_zoomed else network)
    expected = _coarse_map(first_network(predictor.model), pixels)

    assert expected.max() == 1
    assert ask(predictor, pixels)["map"] == pytest.approx(expected, abs=1e-4)


def test_where_no_view_is_the_whole_image_there_is_no_map(make, zoomed, predictor_of, pixels):
    predictor = predictor_of(zoomed(make("residual_cnn", etiologies=2), whole=False))
    assert set(ask(predictor, pixels)) == {*OUTPUTS[:3], "etiology"}


def test_a_network_that_flattens_its_maps_has_no_map(make, predictor_of, pixels):
    assert set(ask(predictor_of(make("separable_cnn")), pixels)) == set(OUTPUTS[:3])
