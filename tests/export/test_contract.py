"""What lies beside exported files: the contract, and the script that uses it."""

import csv
import io
import json
import runpy
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tests.pipelines.ingest.faulty_images import IMAGES

from pneumonia.base.errors import UserError
from pneumonia.base.files import write_whole_folder
from pneumonia.export.contract import complete, find_external
from pneumonia.export.convert import ONNX
from pneumonia.export.parity import measure_parity
from pneumonia.model.lineage import weights_digest
from pneumonia.pixels.decoding import decode_image

RATE = {"value": 0.9, "low": 0.8, "high": 0.95}
METRICS = {"auc": RATE, "sensitivity": RATE, "specificity": RATE, "accuracy": RATE, "n": 8, "n_groups": 7}


@pytest.fixture(scope="module")
def parity(files, predictor, tiny_manifest, tiny_store):
    return measure_parity(files, predictor, tiny_manifest, tiny_store)


@pytest.fixture(scope="module")
def run_record(predictor):
    traced = ("run_id", "commit", "versions", "manifest_sha256", "pixels", "positive_class")
    model = {**dict.fromkeys(traced, "x"), "weights_sha256": weights_digest(predictor.model)}
    return {
        "model": {**model, "etiologies": ["bacteria", "virus"], "training": {"seed": 0}},
        "data": {"n_images": 1200, "n_groups": 900},
        "parameters": {"report": {"source": "kermany", "population": "children"}},
    }


@pytest.fixture(scope="module")
def exported(files, parity, predictor, run_record):
    return complete(files, parity, predictor, {"test": METRICS, "external": None}, run_record)


@pytest.fixture(scope="module")
def contract(exported):
    return json.loads(exported["model.json"])


@pytest.fixture(scope="module")
def folder(exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere") / "exported"
    write_whole_folder(folder, exported)
    return folder


def test_the_contract_says_what_goes_in_and_comes_out(contract):
    assert contract["input"] == {"name": "image", "shape": [None, 32, 32, 1], "type": "uint8"}
    assert {name: value["shape"] for name, value in contract["outputs"].items()} == {
        "probability": [None, 1],
        "calibrated_probability": [None, 1],
        "answer": [None, 1],
        "distance": [None, 2],
        "map": [None, 2, 2],
        "etiology": [None, 3],
    }
    assert contract["map"] == {"shape": [2, 2]}
    assert contract["etiologies"] == ["bacteria", "virus"]
    assert contract["range"]["kinds"] == ["grey", "features"]
    assert contract["answers"] == [
        {"decision": "NORMAL", "reason": ""},
        {"decision": "PNEUMONIA", "reason": ""},
        {"decision": "", "reason": "unlike the training images in its grey values"},
        {"decision": "", "reason": "unlike the training images in the network's features"},
    ]


def test_the_contract_says_how_to_decide_and_how_well_it_did(contract):
    assert contract["class_names"] == ["NORMAL", "PNEUMONIA"]
    assert contract["threshold"] == 0.5
    assert contract["calibration"]["slope"] == 0.5
    assert contract["results"] == {
        "test": {"auc": RATE, "sensitivity": RATE, "specificity": RATE, "n": 8, "groups": 7},
        "external": None,
    }


def test_the_contract_says_where_the_images_are_from_and_what_it_is_not_for(contract):
    assert contract["trained_on"] == (
        "Published radiographs from one hospital, children aged 1 to 5, antero-posterior (Kermany et al. 2018, "
        "doi:10.17632/rscbjbr9sj.2, CC BY 4.0). Patients, as stated in report.population: children. 1,200 images of "
        "900 groups, of which validation and test were held out."
    )
    assert "Not a medical device" in contract["notice"]
    assert contract["licence"] == "Apache-2.0"
    assert "The whole image is resized" in contract["decoder"]


def test_every_file_stands_in_the_contract_with_its_checksum(contract, exported, parity):
    assert set(contract["sha256"]) == set(exported) - {"model.json", "predict.py"}
    assert contract["sha256"][ONNX] == parity["sha256"][ONNX]


def test_nothing_is_completed_behind_a_gate_that_is_shut(files, parity, predictor, run_record):
    shut = {**parity, "failures": ["model.onnx, batch size 64: 3 of 16 decisions flip"]}
    with pytest.raises(UserError, match="none was written: model.onnx, batch size 64: 3 of 16 decisions flip"):
        complete(files, shut, predictor, {"test": METRICS}, run_record)


def test_the_record_of_another_models_run_is_refused(files, parity, predictor, run_record):
    other = {**run_record, "model": {**run_record["model"], "weights_sha256": "0" * 64}}
    with pytest.raises(UserError, match="run_record was made for the model"):
        complete(files, parity, predictor, {"test": METRICS}, other)


def test_the_newest_test_of_this_model_elsewhere_is_found():
    records = {
        "2026-01": {"model_version": "a", "external": {"n": 1}},
        "2026-03": {"model_version": "a", "external": {"n": 3}},
        "2026-04": {"model_version": "b", "external": {"n": 4}},
        "2026-05": {"external": {"n": 5}},  # from an older release, which did not name the model
    }
    assert find_external(records, "a") == {"n": 3}
    assert find_external(records, "c") is None


def judge(folder, *paths):
    """Run the script in a process of its own, in another folder."""
    command = [sys.executable, folder / "predict.py", *paths]
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=True)
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_the_script_has_fewer_than_sixty_lines(exported):
    assert exported["predict.py"].decode().count("\n") < 60


def test_the_script_says_what_the_predictor_says(folder, predictor, tiny_images, tmp_path):
    for number, content in enumerate(tiny_images.values()):
        (tmp_path / f"{number:02}.png").write_bytes(content)
    Image.fromarray(np.tile(np.uint8([0, 255]), (32, 16))).save(tmp_path / "stripes.png")
    (tmp_path / "text.jpeg").write_bytes(b"no image")

    said = judge(folder, tmp_path)
    expected = predictor.predict(tmp_path)

    assert [row["path"] for row in said] == [str(tmp_path / path) for path in expected["path"]]
    assert [row["decision"] for row in said] == expected["decision"].tolist()
    assert [row["reason"] for row in said][:-1] == expected["reason"].tolist()[:-1]
    assert said[-1]["reason"].startswith("cannot be read: ")
    for name in ("probability", "calibrated_probability"):
        assert [float(row[name]) for row in said[:-1]] == pytest.approx(expected[name].tolist()[:-1], abs=1e-5)
    assert {row["decision"] for row in said} == {"NORMAL", "PNEUMONIA", ""}
    assert said[-2]["reason"].startswith("unlike the training images")


def test_the_script_lists_what_it_cannot_read_and_goes_on(folder, tmp_path):
    ramp = np.arange(-40, 984).reshape(32, 32)
    for name, values in {
        "a float": np.float32(ramp / 1000),
        "b negative": np.int32(ramp),
        "c deep": np.int32(100 * ramp + 4000),
        "f whole": np.int32(64 * ramp + 2560),
    }.items():
        Image.fromarray(values).save(tmp_path / f"{name}.tiff")
    (tmp_path / "d bomb.jpeg").write_bytes(IMAGES["frame of 65,535 pixels.jpeg"][1])
    (tmp_path / "e colourless.png").write_bytes(IMAGES["palette that is missing.png"][1])

    *unread, read = judge(folder, tmp_path)
    reasons = [row["reason"].removeprefix("cannot be read: ") for row in unread]
    assert {row["probability"] for row in unread} == {""}
    assert reasons[:3] == [
        "mode F, -0.03999999910593033 to 0.9829999804496765: store 8 or 16 bits, unsigned",
        "mode I, -40 to 983: store 8 or 16 bits, unsigned",
        "mode I, 0 to 102300: store 8 or 16 bits, unsigned",
    ]
    assert "decompression bomb" in reasons[3]
    assert len(reasons) == 5
    assert 0 < float(read["probability"]) < 1


@pytest.fixture(scope="module")
def read_image(folder):
    """The script's own function; without images on its command line it judges none."""
    return runpy.run_path(str(folder / "predict.py"))["read_image"]


def photograph(mode, size, form, **how):
    values = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 4)).astype(np.uint8)
    image = (
        Image.fromarray(values, "RGBA") if mode != "I;16" else Image.fromarray(values[..., 0].astype(np.uint16) * 15)
    )
    content = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(content, form, **how)
    return content.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("resize", ["squeeze", "pad", "crop"])
@pytest.mark.parametrize(
    "content",
    [
        photograph("L", (301, 203), "JPEG"),
        photograph("RGB", (517, 1033), "JPEG"),
        photograph("L", (200, 90), "JPEG", exif=turned(6)),
        photograph("RGBA", (47, 61), "PNG"),
        photograph("LA", (47, 61), "PNG"),
        photograph("I;16", (90, 40), "PNG"),
        photograph("P", (64, 33), "PNG"),
    ],
    ids=["grey JPEG", "colour JPEG", "turned JPEG", "transparent", "transparent grey", "12 bits", "palette"],
)
def test_the_script_decodes_as_the_pixel_store_does(read_image, tmp_path, content, resize):
    path = tmp_path / "image"
    path.write_bytes(content)

    np.testing.assert_array_equal(read_image(path, 32, resize)[0, ..., 0], decode_image(content, 32, resize))
