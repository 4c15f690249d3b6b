import pandas as pd

from pneumonia.pixels.keys import pixel_keys


def test_pixels_are_named_by_the_hash_alone_where_the_file_says_its_range():
    images = pd.DataFrame({"sha256": ["ab", "cd"], "bits": [0, 12]})

    assert pixel_keys(images).tolist() == ["ab", "cd-r2-12"]
    assert pixel_keys(images[["sha256"]]).tolist() == ["ab", "cd"]
