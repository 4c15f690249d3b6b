"""The reader's page as a reader meets it: opened from disk in Chromium, with a tiny model inside."""

import csv
import io
import json
import os
import subprocess
from functools import cache

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit
from tests.conftest import succeed
from tests.images.dicom_files import make
from tests.tiny_network import register_tiny_network

from pneumonia.base.files import write_whole_folder
from pneumonia.export.contract import complete
from pneumonia.export.convert import ONNX
from pneumonia.export.parity import measure_parity, open_exported
from pneumonia.model.lineage import weights_digest
from pneumonia.pixels.decoding import decode_image
from pneumonia.predictor.reading import Item

pytestmark = pytest.mark.slow
ON_BOTH = pytest.mark.parametrize("width", [1280, 390])
RATE = {"value": 0.9, "low": 0.8, "high": 0.95}
MARKED = "burned-in annotation, which may name the patient"
METRICS = {"auc": RATE, "sensitivity": RATE, "specificity": RATE, "accuracy": RATE, "n": 8, "n_groups": 7}


def build(project, model, folder):
    """Build the page of an exported model into a folder."""
    command = ["node", project / "src/reader/build.mjs", model]
    return subprocess.run(command, env={**os.environ, "READER_OUT": str(folder)}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def exported(files, predictor, tiny_manifest, tiny_store, tmp_path_factory):
    traced = ("run_id", "commit", "versions", "manifest_sha256", "pixels", "positive_class")
    model = {**dict.fromkeys(traced, "x"), "weights_sha256": weights_digest(predictor.model)}
    record = {
        "model": {**model, "etiologies": ["bacteria", "virus"], "training": {"seed": 0}},
        "data": {"n_images": 1200, "n_groups": 900},
        "parameters": {"report": {"source": "kermany", "population": "children"}},
    }
    parity = measure_parity(files, predictor, tiny_manifest, tiny_store)
    folder = tmp_path_factory.mktemp("reader") / "model"
    write_whole_folder(folder, complete(files, parity, predictor, {"test": METRICS, "external": None}, record))
    return folder


@pytest.fixture(scope="module")
def address(project, exported):
    built = build(project, exported, exported.parent)
    assert built.returncode == 0, built.stderr
    return (exported.parent / "index.html").as_uri()


@pytest.fixture(scope="module")
def images(pixels):
    return [
        {"name": f"{number}.png", "mimeType": "image/png", "buffer": png(Image.fromarray(pixels[number, ..., 0]))}
        for number in range(20)
    ]


@pytest.fixture(scope="module")
def open_reader(open_page, address):
    @cache
    def open_reader(width):
        opened = open_page(address, width)
        opened.page.locator("#state", has_text="Ready").wait_for()
        return opened

    return open_reader


@pytest.fixture
def width():
    """CSS pixels, of a desk; a test of what depends on it takes a phone's too."""
    return 1280


@pytest.fixture
def opened(open_reader, width):
    return open_reader(width)


@pytest.fixture
def page(opened):
    if opened.page.locator("#listed").is_visible():
        opened.page.click("#clear")
        opened.page.locator("#state", has_text="removed").wait_for()
    return opened.page


def png(image):
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def score(page, files):
    page.set_input_files("#choose", files)
    page.locator("#state", has_text="Done").wait_for()
    with page.expect_download() as download:
        page.click("#save")
    return list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))


def test_the_page_scores_as_the_pipeline_does(page, images, files):
    rows = score(page, images)
    judge = open_exported(ONNX, {ONNX: files[ONNX]}, 1)
    answers = [judge(decode_image(image["buffer"], 32, "squeeze")[None, ..., None]) for image in images]

    assert [row["status"] == "scored" for row in rows] == [bool(one["distance"].max() <= 1) for one in answers]
    scored = [(row, one) for row, one in zip(rows, answers, strict=True) if row["status"] == "scored"]
    assert len(scored) >= 10
    for row, one in scored:
        assert float(row["probability"]) == pytest.approx(float(one["probability"].ravel()[0]), abs=1e-4)


def named(name, data):
    return {"name": name, "mimeType": "", "buffer": data}


def test_the_page_reads_dicom_as_the_pipeline_does_whatever_its_name(page, files, predictor, pixels):
    grey, jpeg = pixels[:3, ..., 0].astype("<u2"), io.BytesIO()
    Image.fromarray(pixels[2, ..., 0]).save(jpeg, "JPEG", quality=100)
    small, eight = {"Rows": 32, "Columns": 32}, {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    inverted = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 2048, "WindowWidth": 4096}
    tags = {"TransferSyntaxUID": "1.2.840.10008.1.2.1.99", "PixelData": (grey[0] * 16).tobytes(), **small}
    deflated = (make(PatientName="x" * n, **tags) for n in range(99))
    radiographs = {
        "padded": next(data for data in deflated if data.endswith(b"\0")),
        "IM00001": make(PixelData=(grey[0] * 16).tobytes(), **small),
        "1.2.840.1": make(PixelData=(4095 - grey[1] * 16).tobytes(), **inverted, **small),
        "a.xyz": make(TransferSyntaxUID=JPEGBaseline8Bit, PixelData=encapsulate([jpeg.getvalue()]), **eight, **small),
    }
    rows = score(page, [named(name, data) for name, data in radiographs.items()])
    expected = predictor.predict([Item(name, lambda data=data: data) for name, data in radiographs.items()])

    assert [row["file"] for row in rows] == list(radiographs)
    assert [row["decision"] for row in rows] == expected["decision"].tolist()
    assert [row["reason"] for row in rows] == expected["reason"].tolist()
    assert [row["status"] for row in rows] == ["scored"] * 4
    said = [float(row["probability"]) for row in rows]
    assert said == pytest.approx(expected["probability"].tolist(), abs=1e-3)


def test_a_model_without_the_size_of_its_map_gets_no_page(project, exported, tmp_path):
    contract = json.loads((exported / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**contract, "map": {"shape": [None, None]}}))
    (tmp_path / "model.onnx").write_bytes((exported / "model.onnx").read_bytes())

    built = build(project, tmp_path, tmp_path)

    assert built.returncode == 1
    assert "Export it again: kedro run --pipelines=export." in built.stderr


def test_a_model_of_two_classes_gives_a_page_that_says_what_prediction_says(
    project, tiny_checkout, open_page, tmp_path
):
    folder = tiny_checkout(tmp_path / "checkout")
    audits = "evaluation.robustness=false,evaluation.framing_images=0"  # nothing of them is on the page
    network = f"model.name={register_tiny_network()}"
    succeed(folder, "run", "--env=tiny", f"--params=training.target=class,{network},{audits}")
    succeed(folder, "run", "--env=tiny", "--pipelines=export")
    images = tmp_path / "new"
    images.mkdir()
    for path in sorted((folder / "data/tiny/01_raw/chest_xray").rglob("*.jpeg"))[:30]:
        # Browsers and Pillow decode JPEG a little differently.
        Image.open(path).save((images / path.name).with_suffix(".png"))
    parameters = f"--params=images={images},prediction.shown_images=2"
    succeed(folder, "run", "--env=tiny", "--pipelines=prediction", parameters)
    (model,) = folder.glob("data/tiny/06_models/exported/*/exported")
    (table,) = folder.glob("data/tiny/07_model_output/new_predictions.csv/*/new_predictions.csv")
    assert build(project, model, tmp_path).returncode == 0
    predictions = pd.read_csv(table, keep_default_na=False)

    opened = open_page((tmp_path / "index.html").as_uri(), 1280)
    opened.page.locator("#state", has_text="Ready").wait_for()
    rows = score(opened.page, [images / path for path in predictions["path"]])

    assert json.loads((model / "model.json").read_text())["map"]["shape"] == [15, 15]
    assert [row["decision"] for row in rows] == predictions["decision"].tolist()
    for row, said in zip(rows, predictions.itertuples(), strict=True):
        if row["decision"]:
            assert float(row["probability"]) == pytest.approx(said.probability, abs=1e-4)
    first = next(row for row in rows if row["decision"])
    shown = opened.page.locator("#rows tr", has_text=first["file"]).first.inner_text()
    assert f"{float(first['probability']):.1%}" in shown
    assert opened.page.locator("#map").is_enabled()
    assert opened.said == []


@ON_BOTH
def test_the_limits_come_first(page):
    told = page.locator("header").inner_text()
    assert "Not a medical device" in told
    assert "Trained on" in told
    assert "no result of a test on images of another place" in told


def test_an_image_out_of_range_gets_a_sentence_and_no_probability(page):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    data = {"name": "noise.png", "mimeType": "image/png", "buffer": png(Image.fromarray(noise))}
    (row,) = score(page, [data])
    assert (row["status"], row["probability"], row["decision"]) == ("out of range", "", "")
    assert "unlike the training images" in row["reason"]
    assert "%" not in page.locator("#verdict").inner_text()


def test_bad_files_are_refused_in_sentences_and_the_page_lives_on(page, images):
    bad = {
        "note.jpeg": (b"only a note", "text, not an image"),
        "huge.png": (png(Image.new("1", (10_000, 10_000))), "more than 50,000,000 pixels"),
        "small.png": (png(Image.new("L", (20, 20))), "too small: 20 x 20 pixels (ingest.min_side is 32)"),
        "cut.png": (images[0]["buffer"][:60], "truncated: its end is missing"),
        "marked.dcm": (
            make(PatientName="Secret", BurnedInAnnotation="YES"),
            "burned-in annotation, which may name the patient",
        ),
        "cut.dcm": (make(PixelData=bytes(100)), "truncated: its pixel data end before the image does"),
        "empty": (b"", "empty file"),
    }
    rows = score(page, [*(named(name, data) for name, (data, _) in bad.items()), images[0]])
    assert [row["status"] for row in rows[:-1]] == ["refused"] * len(bad)
    assert [row["reason"] for row in rows[:-1]] == [reason for _, reason in bad.values()]
    assert rows[-1]["status"] != "refused"
    assert "Secret" not in page.content()
    page.click("#clear")
    assert len(score(page, images[:1])) == 1


def test_five_hundred_files_at_once(page, images):
    many = [{**images[number % 20], "name": f"{number}.png"} for number in range(500)]
    rows = score(page, many)
    assert [row["file"] for row in rows] == [file["name"] for file in many]


@ON_BOTH
def test_window_zoom_and_map_follow_the_keyboard(page, images):
    score(page, images[:1])
    page.focus("#canvas")
    for key in ("ArrowRight", "ArrowDown", "+"):
        page.keyboard.press(key)
    assert page.locator("#window").inner_text() == "Width 263, level 136, zoom 125%"
    page.keyboard.press("0")
    assert page.locator("#window").inner_text() == "Width 255, level 128, zoom 100%"


@ON_BOTH
def test_nothing_sticks_out_of_the_window(page, images):
    score(page, images[:3])
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]


@ON_BOTH
def test_nothing_was_asked_of_the_network_and_the_policy_forbids_it(opened, address):
    assert [url for url in opened.asked if not url.startswith(("data:", "blob:"))] == [address]
    assert opened.said == []
    refused = opened.page.evaluate("fetch('http://127.0.0.1:9/').then(() => false, () => true)")
    assert refused
    assert "connect-src 'none'" in " ".join(opened.said)
