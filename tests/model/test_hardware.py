import dataclasses
import logging

import numpy as np
import pytest

from pneumonia.base.errors import UserError
from pneumonia.model.hardware import (
    Hardware,
    _cpu_policy,
    _gpu_policy,
    choose_hardware,
    drop_failing_xla,
    make_strategy,
    prepare_devices,
    read_cpu_flags,
)
from pneumonia.model.networks import make_network


def test_without_a_gpu_the_cpu_trains_in_float32_without_xla(caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr("pneumonia.model.hardware.read_cpu_flags", lambda: {"avx2"})
    hardware = choose_hardware("cpu", "auto")

    assert (hardware.device, hardware.policy, hardware.jit_compile) == ("cpu", "float32", False)
    assert caplog.messages == ["Training on CPU in float32: asked for."]


def test_a_precision_that_is_asked_for_is_used():
    assert choose_hardware("cpu", "mixed_bfloat16").policy == "mixed_bfloat16"


def test_a_gpu_that_is_asked_for_and_absent_is_an_error():
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match=r"sees no GPU.*training\.device=auto"):
        choose_hardware("gpu", "auto")


@pytest.mark.parametrize(
    ("capabilities", "policy"),
    [
        ([(9, 0)], "mixed_bfloat16"),
        ([(7, 5)], "mixed_float16"),
        ([(8, 0), (7, 0)], "mixed_float16"),
        ([(6, 1)], "float32"),
    ],
)
def test_the_weakest_card_decides_the_precision(capabilities, policy):
    assert _gpu_policy([{"compute_capability": capability} for capability in capabilities]) == policy


@pytest.mark.parametrize(
    ("count", "deterministic", "said"),
    [
        (1, False, "1 GPU (H) in float32 with XLA"),
        (1, True, "1 GPU (H) in float32 without XLA"),
        (2, False, "2 GPU (H, H) in float32 without XLA"),
    ],
)
def test_only_a_single_gpu_is_used_with_xla(count, deterministic, said, monkeypatch, caplog):
    import tensorflow as tf

    caplog.set_level("INFO")
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["gpu"] * count)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"device_name": "H"})

    hardware = choose_hardware("auto", "float32", deterministic=deterministic)

    assert hardware.jit_compile == (" with XLA" in said)
    assert caplog.messages == [f"Training on {said}."]


def test_one_device_needs_no_mirroring():
    assert make_strategy(choose_hardware("cpu", "auto")).num_replicas_in_sync == 1


def test_a_processor_with_bfloat16_instructions_computes_in_it(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags\t\t: fpu avx2 avx512_bf16\n\nprocessor : 1\nflags : fpu\n")
    flags = read_cpu_flags(tmp_path / "cpuinfo")

    assert flags == {"fpu", "avx2", "avx512_bf16"}
    assert _cpu_policy(flags) == "mixed_bfloat16"
    assert _cpu_policy({"fpu", "avx512f"}) == "float32"
    assert read_cpu_flags(tmp_path / "none") == set()


@pytest.mark.parametrize(
    ("cores", "of_the_user", "gpus", "set_to"),
    [(1, None, 0, [1, 1]), (2, None, 0, [2, 1]), (16, None, 0, [16, 8]), (16, "4", 0, []), (16, None, 1, [])],
)
def test_without_a_gpu_an_operation_has_half_of_the_cores_unless_the_user_says_otherwise(
    cores, of_the_user, gpus, set_to, monkeypatch
):
    import tensorflow as tf

    done = []
    monkeypatch.setattr("pneumonia.model.hardware.thread_count", lambda: cores)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["gpu"] * gpus)
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, grows: None)
    for kind in ("inter", "intra"):
        monkeypatch.setattr(tf.config.threading, f"set_{kind}_op_parallelism_threads", done.append)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    if of_the_user:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", of_the_user)

    prepare_devices("auto")

    assert done == set_to


def test_devices_that_are_in_use_stay_as_they_are_with_a_warning(monkeypatch, caplog):
    import tensorflow as tf

    def refuse(threads):
        raise RuntimeError("cannot be modified after initialization")

    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr(tf.config.threading, "set_inter_op_parallelism_threads", refuse)
    prepare_devices("auto")

    assert "its devices and threads stay as they are" in caplog.text


WITH_XLA = Hardware("cpu", (), "float32", True, "a processor with XLA")


@pytest.fixture
def uncompilable():
    """A network with an operation on text, which XLA has not."""
    import keras
    import tensorflow as tf

    class ThroughText(keras.layers.Layer):
        def call(self, x):
            return tf.strings.to_number(tf.strings.as_string(x))

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, "float32")

    image = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Flatten()(ThroughText()(keras.ops.cast(image, "float32")))
    return keras.Model(image, keras.layers.Dense(1, "sigmoid")(x))


def test_a_network_that_xla_cannot_compile_trains_without_it_and_the_record_says_so(uncompilable, caplog):
    caplog.set_level(logging.INFO)

    hardware = drop_failing_xla(WITH_XLA, uncompilable)

    (said,) = caplog.messages
    assert said.startswith("XLA cannot compile the network here (")
    assert "AsString" in said
    assert said.endswith("). Training goes on without XLA.")
    assert hardware.record()["jit_compile"] is False
    assert hardware.reason.startswith("a processor with XLA, which failed here: without XLA (")
    uncompilable.compile("sgd", "binary_crossentropy", jit_compile=hardware.jit_compile)
    history = uncompilable.fit(np.ones((4, 8, 8, 1), np.uint8), np.ones((4, 1)), verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_the_same_network_does_fail_with_xla(uncompilable):
    import tensorflow as tf

    with pytest.raises(tf.errors.OpError, match="AsString"):
        tf.function(uncompilable, jit_compile=True)(np.ones((4, 8, 8, 1), np.uint8))


def test_a_network_that_xla_compiles_keeps_it_and_is_not_changed(tiny_cnn, caplog):
    network = make_network(tiny_cnn, 32, etiologies=2, seed=0)
    before = network.get_weights()

    assert drop_failing_xla(WITH_XLA, network) is WITH_XLA
    assert caplog.messages == []
    assert all((one == other).all() for one, other in zip(before, network.get_weights(), strict=True))


def test_without_xla_nothing_is_tried(uncompilable):
    plain = dataclasses.replace(WITH_XLA, jit_compile=False)

    assert drop_failing_xla(plain, uncompilable) is plain
