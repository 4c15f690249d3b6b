import base64
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumonia.audits.maps import LESION_COLUMNS, measure_pointing, read_lesions
from pneumonia.base.errors import UserError
from pneumonia.images.source import ImageSource
from pneumonia.metrics.decisions import decide, make_decision
from pneumonia.model.scoring import score_images
from pneumonia.report.gallery import Outcome, choose_gallery, draw_gallery, draw_gallery_maps, overlay


def test_the_gallery_shows_each_kind_most_confident_first(predictions, parameters):
    gallery = choose_gallery(predictions, parameters)
    assert gallery["kind"].drop_duplicates().tolist() == list(Outcome)
    misses = gallery[gallery["kind"] == Outcome.MISS]
    assert (misses["target"] == 1).all()
    assert (misses["decision"] == 0).all()
    assert misses["probability"].is_monotonic_increasing
    alarms = gallery[gallery["kind"] == Outcome.FALSE_ALARM]
    assert alarms["probability"].is_monotonic_decreasing
    all_alarms = predictions.query("split == 'test' and target == 0 and decision == 1")
    assert alarms["probability"].iloc[0] == all_alarms["probability"].max()


def test_confidence_is_the_probability_of_the_called_class_whatever_the_threshold(predictions, parameters):
    low = predictions.assign(decision=(predictions["probability"] >= 0.2).astype(int))
    alarms = choose_gallery(low, parameters).query("kind == 'false_alarm'")
    assert alarms["probability"].is_monotonic_decreasing
    assert alarms["probability"].iloc[0] == low.query("split == 'test' and target == 0")["probability"].max()


def test_the_gallery_has_both_classes_among_the_right_ones_and_one_image_a_group(predictions, parameters):
    gallery = choose_gallery(predictions, parameters)
    right = gallery[gallery["kind"] == Outcome.RIGHT]
    assert right["target"].tolist() == [1, 1, 1, 0, 0, 0]
    assert not gallery.duplicated(["group", "kind"]).any()
    assert set(gallery["split"]) == {"test"}


def test_a_gallery_without_errors_has_only_right_images(predictions, parameters):
    faultless = predictions.assign(decision=predictions["target"])
    assert set(choose_gallery(faultless, parameters)["kind"]) == {"right"}


def test_each_picture_of_the_gallery_is_the_stored_image(
    tiny_network, tiny_manifest, tiny_store, tiny_pixels, parameters
):
    scores = score_images(tiny_network, tiny_manifest, *tiny_pixels, parameters)
    predictions = decide(scores, make_decision(scores, tiny_pixels[1], parameters))
    gallery = choose_gallery(predictions, parameters).assign(age=float("nan"))
    records = draw_gallery_maps(tiny_network, tiny_manifest, *tiny_pixels, gallery)
    assert json.loads(json.dumps(records, allow_nan=False))[0]["age"] is None
    sha256 = tiny_manifest.set_index("path").loc[records[0]["path"], "sha256"]
    stored = tiny_store.read(tiny_store.rows([sha256]))[0, ..., 0]
    picture = Image.open(io.BytesIO(base64.b64decode(records[0]["image"].split(",")[1]))).convert("L")
    assert np.abs(np.asarray(picture).astype(int) - stored).mean() < 12  # WebP is lossy, noise is hard
    kinds = gallery["kind"].value_counts()
    assert len(draw_gallery(records).axes) == len(kinds) * kinds.max()


def test_an_overlay_leaves_the_image_where_the_map_is_low():
    image = np.full((4, 4), 100, np.uint8)
    cam = np.zeros((4, 4), np.float32)
    cam[0, 0] = 1
    overlaid = overlay(image, cam)
    assert overlaid[3, 3].tolist() == [100, 100, 100]
    red, green, blue = overlaid[0, 0].tolist()
    assert red > green > blue


class SideFile:
    """A source of which only the side file is read."""

    listing = None

    def __init__(self, content):
        self.content = content

    def read_side_file(self, name):
        assert name == "lesions.csv"
        return self.content


def test_lesions_of_the_manifests_images_are_read(tiny_manifest):
    path = tiny_manifest["path"].iloc[0]
    listed = f"path,left,top,right,bottom\ntest/other.jpeg,0,0,1,1\n{path},0.1,0.2,0.3,0.4\n"
    lesions = read_lesions(SideFile(listed.encode()), tiny_manifest)
    assert lesions.to_dict("records") == [{"path": path, "left": 0.1, "top": 0.2, "right": 0.3, "bottom": 0.4}]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_lesions_are_read_as_people_save_them(tiny_manifest, encoding):
    path = tiny_manifest["path"].iloc[0]
    listed = f"Path;Left;Top;Right;Bottom;Gerät\n{path};0,1;0,2;0,3;0,4;x\n"
    lesions = read_lesions(SideFile(listed.encode(encoding)), tiny_manifest)
    assert lesions.to_dict("records") == [{"path": path, "left": 0.1, "top": 0.2, "right": 0.3, "bottom": 0.4}]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("", "needs the columns path, left, top, right and bottom; it has none"),
        ("path,left,top,right,bottom\nPATH,0,0,,1\n", "line 2: left, top, right and bottom must be fractions"),
        ("path,left,top,right,bottom\nPATH,10,20,300,400\n", "line 2: left, top, right and bottom must be fractions"),
        ("path,left,top,right,bottom\nPATH,0,0,nan,1\n", "line 2: left, top, right and bottom must be fractions"),
    ],
)
def test_lesions_that_are_no_parts_of_an_image_are_refused(tiny_manifest, listed, message):
    content = listed.replace("PATH", tiny_manifest["path"].iloc[0]).encode()
    with pytest.raises(UserError, match=f"lesions.csv.* {message}"):
        read_lesions(SideFile(content), tiny_manifest)


def test_a_source_that_names_no_lesions_gives_an_empty_table(tiny_manifest):
    lesions = read_lesions(SideFile(None), tiny_manifest)
    assert lesions.empty
    assert list(lesions) == ["path", "left", "top", "right", "bottom"]


def test_a_source_that_is_gone_gives_an_empty_table_and_no_warning(tiny_manifest, tmp_path, caplog):
    lesions = read_lesions(ImageSource(str(tmp_path / "gone")), tiny_manifest)

    assert lesions.empty
    assert caplog.records == []


@pytest.mark.parametrize(("top", "bottom", "value"), [(0.0, 0.5, 1.0), (0.5, 1.0, 0.0)])
def test_peaks_are_counted_where_the_lesion_is(tiny_network, tiny_manifest, tiny_pixels, top, bottom, value):
    # The band that tells the tiny classes apart is in the upper half.
    test = tiny_manifest.query("split == 'test' and target == 1")
    lesions = pd.DataFrame({"path": test["path"], "left": 0.0, "top": top, "right": 1.0, "bottom": bottom})
    stores, lineage = tiny_pixels
    pointing = measure_pointing(tiny_network, tiny_manifest, stores, lesions, lineage)
    assert pointing["n"] == pointing["n_groups"] == len(test)
    assert pointing["hits"]["value"] == value
    assert pointing["lesion_share"] == 0.5
    assert pointing["others_share"] == value  # every map peaks in the upper half


def test_nothing_is_counted_without_lesions(tiny_network, tiny_manifest, tiny_pixels):
    none = pd.DataFrame(columns=LESION_COLUMNS)
    stores, lineage = tiny_pixels
    pointing = measure_pointing(tiny_network, tiny_manifest, stores, none, lineage)
    assert pointing == {
        "n": 0,
        "n_groups": 0,
        "hits": {"value": None, "low": None, "high": None},
        "lesion_share": None,
        "others_share": None,
    }
