import numpy as np
import pytest
from PIL import Image
from tests.pipelines.ingest.faulty_images import IMAGES, draw, encode
from tests.pipelines.ingest.odd_images import ACCEPTED, UNNOTICED

from pneumonia.images import examine
from pneumonia.pixels.decoding import LIMITS, ReadingSettings, decode_image, read_image
from pneumonia.predictor.reading import Item, items_of, read_in_chunks, read_pixels, reading_of

HOW = ReadingSettings(64, "squeeze", LIMITS, 100_000)
FILES = {name: data for name, (_, data) in (IMAGES | ACCEPTED | UNNOTICED).items() if len(data) <= HOW.max_file_bytes}


def read(files):
    items = [Item(name, lambda data=data: data, len(data)) for name, data in files.items()]
    return [one for chunk in read_in_chunks(items, HOW) for one in chunk]


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_files_are_refused_as_ingest_refuses_them_and_decoded_as_the_pixel_store_does():
    found = read(FILES)

    assert len(found) > 100
    expected = [examine.examine_image(data, name, LIMITS) for name, data in FILES.items()]
    assert [(one.path, one.sha256, one.problem) for one in found] == [
        (name, facts.sha256, facts.refusal) for name, facts in zip(FILES, expected, strict=True)
    ]
    for one in found:
        if one.problem:
            assert one.pixels is None
        else:
            assert (one.pixels == decode_image(FILES[one.path], 64, "squeeze")).all()


def test_an_image_of_two_grey_levels_only_in_the_range_of_its_neighbours_is_no_mask():
    dark = encode(Image.fromarray(np.asarray(draw()).astype(np.uint16)), "PNG")

    found = read_image(dark, "dark.png", HOW, bits=16)
    assert (found.problem, sorted(set(found.pixels.ravel()))) == ("", [0, 1])


def test_a_whole_image_is_decoded_for_its_pixels_alone(tiny_images, monkeypatch):
    def refuse(image):
        raise AssertionError("decoded for comparing")

    monkeypatch.setattr(examine, "decode_grey", refuse)
    found = read(dict(list(tiny_images.items())[:3]))
    assert np.stack([one.pixels for one in found]).shape == (3, 64, 64)


def test_an_image_that_was_accepted_before_is_read_whatever_the_usual_limits_are():
    small = encode(draw().resize((28, 28)), "PNG")
    items = [Item("a.png", lambda: small, len(small))]

    assert read_pixels(items, reading_of({"image_size": 64, "resize": "squeeze"})).shape == (1, 64, 64, 1)


def test_the_only_file_of_a_folder_is_named_below_it_whatever_the_two_are_called(tmp_path):
    (tmp_path / "patient1").mkdir()
    (tmp_path / "patient1/1").write_bytes(b"x")

    assert [item.path for item in items_of([tmp_path / "patient1"])] == [f"{tmp_path}/patient1/1"]
