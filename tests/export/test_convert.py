import importlib.util

import onnx
import pytest

from pneumonia.base.errors import UserError
from pneumonia.export import convert
from pneumonia.export.convert import LITERT, ONNX, check_extra


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
