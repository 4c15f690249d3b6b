"""What lies beside exported files: the contract, and the script that uses it."""

import csv
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path, PurePath

import numpy as np
import pytest
from PIL import Image
from tests.cases.writing import write_cases
from tests.images.dicom_files import make as make_dicom
from tests.pipelines.ingest.faulty_images import IMAGES, OTHER_OBJECTS
from tests.pipelines.ingest.odd_images import ACCEPTED

from pneumonia.base.errors import UserError
from pneumonia.base.files import write_whole_folder
from pneumonia.export.contract import complete, find_external, say_licence, say_training_images
from pneumonia.export.convert import ONNX
from pneumonia.export.parity import measure_parity
from pneumonia.model.lineage import weights_digest
from pneumonia.pixels.decoding import ReadingSettings, read_image
from pneumonia.predictor.reading import Item

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
    assert contract["licence"] == "not stated; that of the code is Apache-2.0"
    assert "The whole image is resized" in contract["decoder"]


@pytest.mark.parametrize(("alpha", "problem"), [(255, ""), (0, "transparency: not all of its pixels are opaque")])
def test_the_contract_says_what_is_done_with_an_alpha_channel(contract, alpha, problem):
    image, written = Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)), io.BytesIO()
    Image.merge("LA", (image, Image.new("L", image.size, alpha))).save(written, "PNG")
    assert read_image(written.getvalue(), "a.png", ReadingSettings(32, "squeeze")).problem == problem
    assert "ignored where all of it is opaque; an image with transparency is refused" in contract["decoder"]


def test_every_file_stands_in_the_contract_with_its_checksum(contract, exported, parity):
    assert set(contract["sha256"]) == set(exported) - {"model.json", "model.json.sha256"}
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
        "2026-03": {"model_version": "a", "external": {"n": 3}, "place": "north"},
        "2026-04": {"model_version": "b", "external": {"n": 4}},
        "2026-05": {"external": {"n": 5}},  # from an older release, which did not name the model
    }
    assert find_external(records, "a") == {"n": 3, "place": "north"}
    assert find_external(records, "b") == {"n": 4, "place": None}  # from an older release, which did not name the place
    assert find_external(records, "c") is None


def run_script(folder, *paths, cwd="/"):
    """Run the script in a process of its own, in another folder."""
    command = [sys.executable, folder / "predict.py", *paths]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def judge(folder, *paths):
    done = run_script(folder, *paths)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


@pytest.fixture(scope="module")
def odd_files(tiny_images, tmp_path_factory):
    """Images, DICOM files without a suffix, and whatever else lies in a folder."""
    folder = tmp_path_factory.mktemp("odd")
    files = {f"{number:02}.png": content for number, content in enumerate(list(tiny_images.values())[:10])}
    stripes = io.BytesIO()
    Image.fromarray(np.tile(np.uint8([0, 128, 255, 64]), (32, 8))).save(stripes, "PNG")
    files |= {"stripes.png": stripes.getvalue(), "IM00001": make_dicom(), "deep/1.2.3.4": make_dicom(Modality="CT")}
    deep = np.random.default_rng(1).integers(200, 1023, (2, 40, 40)).astype(np.uint16)
    for number, most in enumerate((1023, 1030)):  # one range for the two
        deep[number, 0, 0] = most
        content = io.BytesIO()
        Image.fromarray(deep[number]).save(content, "PNG")
        files[f"deep/{number}.png"] = content.getvalue()
    files |= {"DICOMDIR": b"\0" * 400, ".hidden": b"", "notes.txt": b"text", "=1+1.png": files["00.png"]}
    kinds = IMAGES | OTHER_OBJECTS | ACCEPTED
    for name, content in (files | {f"kinds/{name}": data for name, (_, data) in kinds.items()}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def judge_alike(folder, predictor, files):
    """The rows of the script, which are those of the predictor."""
    paths = sorted(path for path in files.rglob("*") if path.is_file())
    expected = predictor.predict([Item(str(path), path.read_bytes) for path in paths])

    said = judge(folder, files)

    assert [row["path"] for row in said] == [str(path) for path in paths]
    for name in ("sha256", "decision", "reason"):
        assert [row[name] for row in said] == expected[name].tolist()
    scored = expected["probability"].dropna()
    assert [float(said[row]["probability"]) for row in scored.index] == pytest.approx(scored.tolist(), abs=1e-5)
    assert len(scored) == sum(row["probability"] != "" for row in said)
    return said


def test_the_script_says_of_every_file_what_the_predictor_says(folder, predictor, odd_files):
    said = judge_alike(folder, predictor, odd_files)

    assert {row["decision"] for row in said} == {"NORMAL", "PNEUMONIA", ""}
    assert {row["path"].removeprefix(f"{odd_files}/") for row in said} >= {
        "IM00001",
        "deep/1.2.3.4",
        "DICOMDIR",
        ".hidden",
    }
    assert "not a radiograph: other modality (CT)" in {row["reason"] for row in said}
    assert not list(folder.rglob("__pycache__"))


def test_the_script_answers_the_cases_as_the_predictor_does(folder, predictor, tmp_path):
    write_cases(tmp_path)
    cases = json.loads((tmp_path / "cases.json").read_text())["files"]
    (tmp_path / "cases.json").unlink()

    said = {PurePath(row["path"]).name: row["reason"] for row in judge_alike(folder, predictor, tmp_path)}

    assert len(said) == len(cases) > 200
    refusals = {case["name"]: said[str(number)] for number, case in enumerate(cases) if case["refusal"]}
    expected = {case["name"]: case["refusal"] for case in cases if case["refusal"]}
    assert {name: refusals[name][: len(start)] for name, start in expected.items()} == expected
    others = {said[str(number)] for number, case in enumerate(cases) if not case["refusal"]}
    assert others <= {
        "",
        "too small: 20 x 90 pixels (ingest.min_side is 32)",
        "not a radiograph: two grey levels, as in a mask",
        "unlike the training images in its grey values",
        "unlike the training images in the network's features",
    }


def test_no_cell_of_the_scripts_table_is_a_formula(folder, odd_files, tmp_path):
    (tmp_path / "-1.png").write_bytes((odd_files / "00.png").read_bytes())
    done = run_script(folder, "-1.png", cwd=tmp_path)
    assert done.stdout.splitlines()[1].startswith("'-1.png,")


def test_the_script_gives_a_missing_file_a_row(folder, tmp_path):
    (row,) = judge(folder, tmp_path / "nowhere.png")
    assert row["reason"] == "cannot be read: No such file or directory"


def test_the_script_reads_no_pipe_without_end(folder, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (row,) = judge(folder, tmp_path / "pipe.png")
    assert row["reason"] == "cannot be read: Is no file"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.onnx", b"other", "is not as it was exported. Export it again."),
        ("model.onnx", None, "cannot be read ("),
        ("model.json", b"{", "is not as it was exported. Export it again."),
        ("model.json", b'{"threshold": 0.1}', "is not as it was exported. Export it again."),
        ("model.json.sha256", b"", "cannot be read ("),
        ("model.json.sha256", b"\xff", "cannot be read ("),
        ("model.json.sha256", None, "cannot be read ("),
        ("pneumonia/base/text.py", None, "cannot be read ("),
        ("pneumonia/base/text.py", b"", "is not as it was exported. Export it again."),
        ("pneumonia/images/depth.py", b"\0\0", "is not as it was exported. Export it again."),
    ],
)
def test_the_script_says_what_is_wrong_with_its_model(exported, odd_files, tmp_path, name, content, said):
    write_whole_folder(tmp_path / "exported", exported)
    path = tmp_path / "exported" / name
    path.write_bytes(content) if content is not None else path.unlink()

    done = run_script(tmp_path / "exported", odd_files)

    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_script_reads_no_pipe_in_the_place_of_its_model(exported, odd_files, tmp_path):
    write_whole_folder(tmp_path / "exported", exported)
    (model := tmp_path / "exported" / "model.onnx").unlink()
    os.mkfifo(model)

    assert "model.onnx cannot be read ([Errno 19] Is no file)" in run_script(tmp_path / "exported", odd_files).stderr


@pytest.mark.parametrize("arguments", [(), ("",), ("--help",)])
def test_the_script_says_how_to_call_it(folder, arguments):
    said = run_script(folder, *arguments)
    assert said.stderr.startswith("Name images or folders, and where to write: python predict.py")
    assert said.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is needed")
@pytest.mark.parametrize(
    ("where", "said"),
    [("/dev/full", "The table is not complete: it could not be written (No space left"), ("&-", "and where to write")],
)
def test_a_table_that_cannot_be_written_is_no_success(folder, odd_files, where, said):
    command = shlex.join([sys.executable, f"{folder}/predict.py", f"{odd_files}/00.png"])
    done = subprocess.run(f"{command} >{where}", shell=True, capture_output=True, text=True)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_script_gives_a_path_that_is_too_long_a_row(folder):
    (row,) = judge(folder, "x" * 5000)
    assert row["reason"] == "cannot be read: File name too long"


def test_only_a_model_of_drawn_images_has_the_licence_of_the_code(run_record):
    drawn = {**run_record, "parameters": {"report": {"source": "synthetic", "population": "unknown"}}}
    assert say_licence(drawn) == "Apache-2.0"


def test_images_that_are_each_a_group_are_not_counted_twice(run_record):
    alone = {**run_record, "data": {"n_images": 1200, "n_groups": 1200}}
    assert "1,200 images, of which validation and test were held out." in say_training_images(alone)
