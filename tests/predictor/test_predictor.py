import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.base.test_files import WRONG
from tests.images.dicom_files import make

from pneumonia.base.errors import UserError
from pneumonia.base.files import write_with_checksum
from pneumonia.images.source import ImageSource
from pneumonia.metrics.calibration import apply_calibration
from pneumonia.model.predict import predict_stored
from pneumonia.predictor.predictor import PREDICTION_COLUMNS, RECORDS, Predictor


@pytest.fixture(scope="module")
def predictor(network, lineage, decision, wide_range):
    return Predictor(network, lineage, decision, wide_range, "V")


@pytest.fixture(scope="module")
def expected(network, decision, tiny_manifest, tiny_store):
    """Probability of each tiny image as evaluation finds it, by hash."""
    own = predict_stored(network, tiny_store, tiny_manifest["sha256"], 16)
    probability = apply_calibration(own, decision["calibration"])
    return dict(zip(tiny_manifest["sha256"], probability, strict=True))


def test_every_image_of_a_folder_is_judged_and_every_other_file_listed_with_its_reason(predictor, folder, expected):
    table = predictor.predict(folder)

    assert tuple(table.columns) == PREDICTION_COLUMNS
    assert len(table) == 12
    judged = table[table["in_range"] == "yes"]
    assert len(judged) == 10
    assert judged["probability"].to_numpy() == pytest.approx([expected[sha] for sha in judged["sha256"]], abs=1e-6)
    assert dict(table.loc[table["in_range"] == "", ["path", "reason"]].itertuples(index=False)) == {
        "empty.png": "empty file",
        "text.jpeg": "text, not an image",
    }
    assert table["model_version"].unique().tolist() == ["V"]


def test_the_calibration_shifts_the_logit_and_the_decision_is_that_of_the_probability_shown(
    network, lineage, decision, wide_range, folder
):
    shifted = {"method": "logistic", "prevalence": 0.5, "slope": 0.5, "intercept": 2.0}
    now = {**decision, "calibration": shifted}
    earlier = {name: value for name, value in now.items() if name != "threshold_on"}  # decided on the network's own
    plain, judged = (
        Predictor(network, lineage, record, wide_range).predict(folder).query("in_range == 'yes'")
        for record in (earlier, now)
    )
    odds, calibrated = (table["probability"] / (1 - table["probability"]) for table in (plain, judged))

    assert calibrated.to_numpy() == pytest.approx(np.sqrt(odds.to_numpy()) * np.exp(2), rel=1e-9)
    for table in (plain, judged):
        assert (table["decision"] == "PNEUMONIA").tolist() == (table["probability"] >= 0.5).tolist()
    assert plain["decision"].tolist() != judged["decision"].tolist()


def test_the_folder_is_not_written_to(predictor, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    predictor.predict(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_order_and_batch_size_do_not_matter(predictor, folder):
    files = sorted(folder.rglob("*.png"), key=lambda path: path.name)
    files = [path for path in files if path.name != "empty.png"]
    one = predictor.predict(files, batch_size=3).set_index("path")
    other = predictor.predict(files[::-1], batch_size=64).set_index("path").loc[one.index]

    assert one["probability"].to_numpy() == pytest.approx(other["probability"].to_numpy(), abs=1e-6)
    assert one["decision"].tolist() == other["decision"].tolist()
    assert one.index.tolist() == [str(path) for path in files]


@pytest.mark.parametrize("name", ["IM00001", "1.2.840.10008.5.1"])
@pytest.mark.parametrize("n_missing", [0, 132])
def test_a_single_dicom_file_is_read_whatever_its_name(predictor, tmp_path, name, n_missing):
    (tmp_path / name).write_bytes(make()[n_missing:])

    assert predictor.predict(tmp_path / name)[["path", "reason"]].to_numpy().tolist() == [[name, ""]]


def test_a_single_file_a_zip_and_an_address_give_the_same_as_the_folder(predictor, folder, tmp_path):
    table = predictor.predict(folder).set_index("path")
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder))

    alone = predictor.predict(folder / "0.png")["probability"].item()
    assert alone == pytest.approx(table.loc["0.png", "probability"], abs=1e-6)  # a batch of another size
    assert predictor.predict(f"file://{folder}/0.png")["path"].item() == "0.png"
    zipped = predictor.predict(tmp_path / "new.zip").set_index("path")
    assert zipped["probability"].dropna().to_dict() == table["probability"].dropna().to_dict()


def test_arrays_are_judged_as_the_files_that_they_come_from(predictor, tiny_store, tiny_manifest, expected):
    sha256s = tiny_manifest["sha256"][:3]
    stack = tiny_store.read(tiny_store.rows(sha256s))

    for arrays in (stack, stack[..., 0], list(stack[..., 0]), np.repeat(stack, 3, axis=3), list(stack)):
        table = predictor.predict(arrays)
        assert table["path"].tolist() == ["array 0.png", "array 1.png", "array 2.png"]
        assert table["probability"].to_numpy() == pytest.approx([expected[sha] for sha in sha256s], abs=1e-6)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((40, 40, 40, 4), np.uint8), "shape .* is not an image"),
        (np.zeros((40, 40, 4), np.uint8), "shape .* is not an image"),
        (np.zeros((40, 0), np.uint8), "shape .* is not an image"),
        (np.zeros(40, np.uint8), "shape .* is not an image"),
        (np.zeros((40, 40), np.float32), "float32 has no defined range"),
        (np.zeros((40, 40, 3), np.uint16), "Colours of uint16 are not supported: give them in uint8"),
    ],
)
def test_an_array_that_is_no_image_is_refused(predictor, array, message):
    for images in (array, [array]):
        with pytest.raises(UserError, match=message):
            predictor.predict(images)


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (40, 50, 3)])
def test_an_array_with_an_axis_of_channels_is_one_image(predictor, shape):
    assert predictor.predict(np.zeros(shape, np.uint8))["path"].tolist() == ["array 0.png"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_single_grey_image_is_the_same_with_an_axis_of_channels(predictor, dtype):
    grey = np.arange(40 * 50, dtype=dtype).reshape(40, 50)
    pd.testing.assert_frame_equal(predictor.predict(grey[..., None]), predictor.predict(grey))


def test_image_sources_in_a_sequence_are_judged_as_their_addresses(predictor, folder):
    places = [str(folder / "deep"), str(folder / "0.png")]
    table = predictor.predict([ImageSource(place) for place in places])

    pd.testing.assert_frame_equal(table, predictor.predict(places))
    assert table["path"].iloc[0] == f"{folder}/deep/er/1.png"
    assert table["path"].iloc[-1] == f"{folder}/0.png"


def test_probabilities_are_those_of_the_table_a_column_for_each_class(predictor, folder, tiny_store):
    table = predictor.predict(folder)
    probabilities = predictor.predict_proba(folder, batch_size=3)

    assert predictor.classes_.tolist() == ["NORMAL", "PNEUMONIA"]
    assert probabilities[:, 1] == pytest.approx(table["probability"].to_numpy(), abs=1e-6, nan_ok=True)
    assert probabilities.sum(axis=1)[table["reason"] == ""] == pytest.approx(1)
    assert np.isnan(probabilities).all(axis=1).tolist() == (table["reason"] != "").tolist()
    assert predictor.predict_proba(tiny_store.read(range(2))).shape == (2, 2)
    assert predictor.predict_proba([]).shape == (0, 2)


@pytest.mark.parametrize("none", [[], (), np.zeros((0, 32, 32), np.uint8)], ids=["list", "tuple", "stack"])
def test_no_images_give_a_table_without_rows(predictor, folder, none):
    table = predictor.predict(none)

    assert len(table) == 0
    assert table.dtypes.to_dict() == predictor.predict(folder).dtypes.to_dict()


def test_an_image_out_of_range_has_a_probability_but_no_decision(network, lineage, decision, image_range, noise):
    table = Predictor(network, lineage, decision, {**image_range, "bound": 1e-12}).predict(noise)

    assert table["in_range"].unique().tolist() == ["no"]
    assert table["decision"].unique().tolist() == [""]
    assert table["probability"].notna().all()
    assert table["reason"].str.startswith("unlike the training images").all()


def test_records_of_another_model_are_refused(network, lineage, decision, wide_range):
    with pytest.raises(UserError, match="decision .*weights"):
        Predictor(network, lineage, {**decision, "weights_sha256": "0" * 64}, wide_range)
    with pytest.raises(UserError, match="image_range .*weights"):
        Predictor(network, lineage, decision, {**wide_range, "weights_sha256": "0" * 64})


@pytest.mark.parametrize("recorded", [{"weights_sha256": "0" * 64}, {}], ids=["of another model", "of no model"])
def test_a_model_beside_another_models_lineage_is_refused(network, lineage, decision, wide_range, recorded):
    others = {name: value for name, value in lineage.items() if name != "weights_sha256"} | recorded
    records = {"model_lineage": others, "decision": decision, "image_range": wide_range}
    loaded = {"pneumonia_model": network, **records}

    with pytest.raises(UserError, match="model_lineage .*weights"):
        Predictor.from_catalog(MemoryCatalog(loaded))
    with pytest.raises(UserError, match="model_lineage .*weights"):
        Predictor.from_run(**loaded, run_context={"versions": {"pneumonia_model": "V"}})


class MemoryCatalog(dict):
    """What `from_catalog` needs of a catalog."""

    load = dict.__getitem__


def test_another_decoder_is_refused(network, lineage, decision, wide_range):
    with pytest.raises(UserError, match="32-squeeze-decoder0"):
        Predictor(network, {**lineage, "pixels": "32-squeeze-decoder0"}, decision, wide_range)


V1, V2, V3, V7 = (f"2026-01-0{n}T00.00.00.000Z" for n in (1, 2, 3, 7))


@pytest.fixture
def saved(tmp_path, network, lineage, decision, wide_range):
    """A root with two models of the same weights, one run's records of these weights, and newer records of others."""
    for version in (V1, V2):
        path = tmp_path / f"06_models/pneumonia_model.keras/{version}/pneumonia_model.keras"
        path.parent.mkdir(parents=True)
        network.save(path)
    lineage = {**lineage, "versions": {}, "manifest_sha256": ""}
    records = {"model_lineage": lineage, "decision": decision, "image_range": wide_range}
    for name, record in records.items():
        for version, content in ((V2, record), (V3, {"weights_sha256": "0" * 64})):
            path = tmp_path / f"{RECORDS[name]}/{name}.json/{version}/{name}.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(content))
    return tmp_path


def test_a_model_is_found_in_a_folder_with_what_belongs_to_it(saved, folder, predictor):
    found = Predictor.from_folder(saved)

    assert found.version == V2
    assert found.predict(folder)["probability"].dropna().tolist() == pytest.approx(
        predictor.predict(folder)["probability"].dropna().tolist(), abs=1e-6
    )
    assert Predictor.from_folder(saved, version=V1).version == V1


def test_the_documented_lines_of_python_run(saved, folder, project):
    (code,) = re.findall(r"```python\n(.*?)```", (project / "docs/prediction.md").read_text(), re.DOTALL)
    names = {}
    exec(code.replace('"data"', repr(str(saved))).replace('"new_images"', repr(str(folder))), names)

    assert len(names["table"]) == 12
    assert names["probabilities"].shape == (12, 2)


@pytest.mark.parametrize("name", ["model_lineage", "decision", "image_range"])
def test_a_model_in_a_folder_with_an_edited_record_is_refused(saved, name):
    path = saved / f"{RECORDS[name]}/{name}.json/{V2}/{name}.json"
    write_with_checksum(path, path.read_bytes())
    assert Predictor.from_folder(saved).version == V2

    path.write_text(path.read_text() + " ")
    with pytest.raises(UserError, match=rf"{name}\.json has changed since it was written"):
        Predictor.from_folder(saved)


def test_a_folder_without_the_model_or_its_decision_is_refused(saved):
    with pytest.raises(UserError, match=f"no version {V7} of the model"):
        Predictor.from_folder(saved, version=V7)
    (saved / f"07_model_output/decision.json/{V2}/decision.json").unlink()
    with pytest.raises(UserError, match=f"The model {V2} has no decision: it was never evaluated"):
        Predictor.from_folder(saved)


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("name", ["pneumonia_model.keras", *(f"{name}.json" for name in RECORDS)])
def test_what_is_of_a_wrong_kind_in_a_folder_is_named(saved, name, make):
    layer = RECORDS.get(name.removesuffix(".json"), "06_models")
    path = saved / layer / name / V2 / name
    path.unlink()
    make(path)
    with pytest.raises(UserError, match=rf"^{path}: .* and run again"):
        Predictor.from_folder(saved)

    (saved / layer / name).rename(saved / "moved")
    make(saved / layer / name)
    if make is not Path.mkdir:
        with pytest.raises(UserError, match=rf"^{saved / layer / name}: .* and run again"):
            Predictor.from_folder(saved)


def test_a_model_in_a_folder_with_another_models_lineage_is_refused(saved):
    (saved / f"06_models/model_lineage.json/{V2}/model_lineage.json").write_text('{"weights_sha256": "of another"}')
    with pytest.raises(UserError, match=f"No model_lineage in .* was made for the model {V2}"):
        Predictor.from_folder(saved)


@pytest.mark.parametrize(
    ("content", "said"),
    [("[]", "No model_lineage in"), ("{}", "No model_lineage in"), ("[" * 200_000, r"model_lineage\.json is damaged")],
)
def test_a_model_in_a_folder_with_a_lineage_that_says_nothing_is_refused(saved, content, said):
    (saved / f"06_models/model_lineage.json/{V2}/model_lineage.json").write_text(content)
    with pytest.raises(UserError, match=said):
        Predictor.from_folder(saved)


def test_a_model_file_that_was_cut_is_refused(saved):
    path = saved / f"06_models/pneumonia_model.keras/{V2}/pneumonia_model.keras"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="not a complete model"):
        Predictor.from_folder(saved)


def test_a_place_without_images_is_refused(predictor, tmp_path):
    with pytest.raises(UserError, match="no image file"):
        predictor.predict(tmp_path)
    with pytest.raises(UserError, match="There are no images at"):
        predictor.predict(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_predictor_says_nothing_and_loads_no_more_than_it_needs(saved):
    code = f"""
import sys
from pneumonia.predictor.predictor import Predictor
before = set(sys.modules)
import numpy as np
Predictor.from_folder({str(saved)!r}).predict(np.zeros((2, 32, 32), np.uint8))
print(*{{"tensorflow", "keras", "sklearn", "scipy", "matplotlib", "kedro"}} & before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    said = [line for line in done.stderr.splitlines() if "has no checksum" not in line]  # which these records lack
    assert (done.returncode, done.stdout.strip(), said) == (0, "", [])
