import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.cases.writing import png

from pneumonia.audits.known_images import count_own, describe_origin, find_known, mark_known
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import ExternalParameters, IngestParameters
from pneumonia.images.examine import examine_image
from pneumonia.images.source import ImageSource
from pneumonia.model.lineage import manifest_digest
from pneumonia.pixels.decoding import LIMITS, MAX_FILE_BYTES, ReadingSettings
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PixelStores
from pneumonia.predictor.reading import Item


@pytest.fixture(scope="module")
def chests():
    """Six drawn radiographs, as PNG."""
    from pneumonia.demo.images import make_image, plan_images

    return [png(np.asarray(make_image(image, 0)[0].convert("L"))) for image in plan_images(60, 0)[:50:8]]


@pytest.mark.parametrize("bits", [0, 12])
def test_a_training_image_is_found_by_its_bytes_and_by_its_pixels(chests, tmp_path, default_parameters, bits):
    facts = [examine_image(content, "a.png", LIMITS) for content in chests]
    names = [f"train/{number}.png" for number in range(len(chests))]
    stores = PixelStores(tmp_path)
    contents = dict(zip(names, chests, strict=True))
    hashes, ranges = tuple(f.sha256 for f in facts), (bits,) * len(names)
    stores.fill(PixelRequest(tuple(names), hashes, 128, "squeeze", contents.__getitem__, bits=ranges))
    known = pd.DataFrame(
        {
            "path": names,
            "sha256": hashes,
            "bits": bits,
            "split": ["train", "val", "train", "test", "train", "train", "train"][: len(names)],
            "perceptual_hash": [f.perceptual_hash for f in facts],
        }
    )
    small = np.asarray(Image.open(io.BytesIO(chests[1])).resize((300, 260)))
    brighter = (255 * (small / 255) ** 0.8).astype(np.uint8)
    given = {"same.png": chests[0], "altered.png": png(brighter), "of_test.png": chests[3]}
    found_facts = {path: examine_image(content, path, LIMITS) for path, content in given.items()}
    images = pd.DataFrame(
        [(path, f.sha256, f.perceptual_hash) for path, f in found_facts.items()],
        columns=["path", "sha256", "perceptual_hash"],
    )
    items = {path: Item(path, lambda content=content: content) for path, content in given.items()}
    how = ReadingSettings(128, "squeeze", LIMITS, MAX_FILE_BYTES)

    parameters = IngestParameters(**default_parameters["ingest"])
    found = find_known(images, items, known, stores.open(128, "squeeze"), how, parameters).set_index("path")

    assert found["known"].to_dict() == {
        "same.png": "train/0.png",
        "altered.png": "train/1.png",
        "of_test.png": "train/3.png",
    }
    assert found["same_bytes"].to_dict() == {"same.png": True, "altered.png": False, "of_test.png": True}
    assert found.loc["altered.png", "correlation"] > 0.94


def index_of(labels, statuses):
    return pd.DataFrame({"path": list("abcd"), "label": labels, "status": statuses, "reason": ""})


def test_what_the_model_knows_is_taken_out_with_its_image():
    index = index_of(["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA"], ["ok", "ok", "ok", "rejected"])
    known = pd.DataFrame({"path": ["a"], "known": ["train/x.jpeg"]})

    marked = mark_known(index, known)
    assert marked["status"].tolist() == ["known", "ok", "ok", "rejected"]
    assert marked["reason"].tolist() == ["the model's own: train/x.jpeg", "", "", ""]


def test_a_test_of_which_one_class_or_nothing_is_left_is_refused():
    index = index_of(["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA"], ["ok", "ok", "ok", "rejected"])
    with pytest.raises(
        UserError, match=r"needs usable images of both classes.*\(2 ok, 1 known, 1 rejected\)\. Images that"
    ):
        mark_known(index, pd.DataFrame({"path": ["c"], "known": ["train/x.jpeg"]}))


def test_where_no_image_is_known_nothing_is_said_of_known_ones():
    index = index_of(["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA"], ["ok", "ok", "rejected", "rejected"])
    with pytest.raises(UserError, match=r"these remain: {'NORMAL': 2} \(2 ok, 2 rejected\)\.$"):
        mark_known(index, pd.DataFrame({"path": [], "known": []}))


def test_the_place_is_named_and_images_of_groups_that_may_be_the_models_are_counted(default_parameters):
    known = pd.DataFrame({"group": ["p1", "own.png"], "path": ["x.png", "own.png"]})
    index = pd.DataFrame(
        [
            ("a.png", "p1", "ok"),  # called like a group of the model's
            ("b.png", "p2", "ok"),  # of the patient of an image that was refused
            ("c.png", "p2", "known"),
            ("d.png", "p3", "ok"),
            ("own.png", "own.png", "ok"),  # a path alone names no patient
        ],
        columns=["path", "group", "status"],
    )
    external = ExternalParameters(**default_parameters["external"])
    origin = describe_origin(index, known, ImageSource("/images/there"), external)
    assert origin == {"place": "there", "shared": {"images": 2, "groups": 2}}


def test_new_images_that_are_the_models_own_are_counted_if_the_split_is_the_models():
    manifest = pd.DataFrame({"path": list("xyz"), "split": ["train", "train", "test"], "sha256": list("abc")})
    lineage = {"manifest_sha256": manifest_digest(manifest)}
    new = pd.DataFrame({"sha256": ["a", "a", "c", "d", ""]})
    assert count_own(new, manifest, lineage) == {"checked": True, "by_split": {"train": 2, "test": 1}}
    assert count_own(new[3:], manifest, lineage) == {"checked": True, "by_split": {}}
    assert not count_own(new, manifest[:2], lineage)["checked"]
