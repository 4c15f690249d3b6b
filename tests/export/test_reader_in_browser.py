"""The reader's page as a reader meets it: opened from disk in Chromium, with a tiny model inside."""

import csv
import io
import os
import subprocess

import numpy as np
import pytest
from PIL import Image

from pneumonia.base.files import write_whole_folder
from pneumonia.export.contract import complete
from pneumonia.export.convert import ONNX
from pneumonia.export.parity import measure_parity
from pneumonia.export.running import open_exported
from pneumonia.model.lineage import weights_digest
from pneumonia.pixels.decoding import decode_image

pytestmark = pytest.mark.slow
RATE = {"value": 0.9, "low": 0.8, "high": 0.95}
METRICS = {"auc": RATE, "sensitivity": RATE, "specificity": RATE, "accuracy": RATE, "n": 8, "n_groups": 7}


@pytest.fixture(scope="module")
def address(files, predictor, tiny_manifest, tiny_store, project, tmp_path_factory):
    traced = ("run_id", "commit", "versions", "manifest_sha256", "pixels", "positive_class")
    model = {**dict.fromkeys(traced, "x"), "weights_sha256": weights_digest(predictor.model)}
    record = {
        "model": {**model, "etiologies": ["bacteria", "virus"], "training": {"seed": 0}},
        "data": {"n_images": 1200, "n_groups": 900},
        "parameters": {"report": {"source": "kermany", "population": "children"}},
    }
    parity = measure_parity(files, predictor, tiny_manifest, tiny_store)
    folder = tmp_path_factory.mktemp("reader")
    write_whole_folder(
        folder / "model", complete(files, parity, predictor, {"test": METRICS, "external": None}, record)
    )
    subprocess.run(
        ["node", project / "src/reader/build.mjs", folder / "model"],
        env={**os.environ, "READER_OUT": str(folder)},
        check=True,
    )
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="module")
def images(pixels):
    return [
        {"name": f"{number}.png", "mimeType": "image/png", "buffer": png(Image.fromarray(pixels[number, ..., 0]))}
        for number in range(20)
    ]


@pytest.fixture(scope="module", params=[1280, 390])
def opened(request, open_page, address):
    opened = open_page(address, request.param)
    opened.page.locator("#state", has_text="Ready").wait_for()
    return opened


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


def test_the_limits_come_first(page):
    told = page.locator("header").inner_text()
    assert "Not a medical device" in told
    assert "Trained on" in told
    assert "images from elsewhere was never measured" in told


def test_an_image_out_of_range_gets_a_sentence_and_no_probability(page):
    noise = np.random.default_rng(0).integers(0, 2, (64, 64)).astype(np.uint8) * 255
    data = {"name": "noise.png", "mimeType": "image/png", "buffer": png(Image.fromarray(noise))}
    (row,) = score(page, [data])
    assert (row["status"], row["probability"], row["decision"]) == ("out of range", "", "")
    assert "unlike the training images" in row["reason"]
    assert "%" not in page.locator("#verdict").inner_text()


def test_bad_files_are_refused_in_sentences_and_the_page_lives_on(page, images):
    huge = png(Image.new("1", (10_000, 10_000)))
    bad = [
        {"name": "note.jpeg", "mimeType": "image/jpeg", "buffer": b"only a note"},
        {"name": "huge.png", "mimeType": "image/png", "buffer": huge},
        {"name": "cut.png", "mimeType": "image/png", "buffer": images[0]["buffer"][:60]},
        {"name": "marked.dcm", "mimeType": "application/dicom", "buffer": burned_in()},
    ]
    rows = score(page, bad)
    assert {row["status"] for row in rows} == {"refused"}
    parts = ("not a JPEG, PNG or DICOM", "100 megapixels", "damaged", "burned-in annotation")
    assert all(part in row["reason"] for part, row in zip(parts, rows, strict=True))
    assert "Secret" not in page.content()
    page.click("#clear")
    assert len(score(page, images[:1])) == 1


def burned_in():
    """Return a DICOM file that says that it has burned-in annotation, and names a patient."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.PatientName, dataset.Modality, dataset.BurnedInAnnotation = "Secret", "DX", "YES"
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel, dataset.Rows, dataset.Columns = "MONOCHROME2", 1, 8, 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = bytes(64)
    data = io.BytesIO()
    dataset.save_as(data, enforce_file_format=True)
    return data.getvalue()


def test_five_hundred_files_at_once(page, images):
    many = [{**images[number % 20], "name": f"{number}.png"} for number in range(500)]
    rows = score(page, many)
    assert [row["file"] for row in rows] == [file["name"] for file in many]


def test_window_zoom_and_map_follow_the_keyboard(page, images):
    score(page, images[:1])
    page.focus("#canvas")
    for key in ("ArrowRight", "ArrowDown", "+"):
        page.keyboard.press(key)
    assert page.locator("#window").inner_text() == "Width 263, level 136, zoom 125%"
    page.keyboard.press("0")
    assert page.locator("#window").inner_text() == "Width 255, level 128, zoom 100%"


def test_nothing_sticks_out_of_the_window(page, images):
    score(page, images[:3])
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]


def test_nothing_was_asked_of_the_network_and_the_policy_forbids_it(opened, address):
    assert [url for url in opened.asked if not url.startswith(("data:", "blob:"))] == [address]
    assert opened.said == []
    refused = opened.page.evaluate("fetch('http://127.0.0.1:9/').then(() => false, () => true)")
    assert refused
    assert "connect-src 'none'" in " ".join(opened.said)
