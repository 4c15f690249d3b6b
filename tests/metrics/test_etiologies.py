import pandas as pd

from pneumonia.metrics.etiologies import COLUMNS, count_etiologies


def predictions(likeliest):
    """Five test images: a negative one, three bacterial and one viral one; and a positive one of no known etiology."""
    etiology = ["none", "bacteria", "bacteria", "bacteria", "virus", "unknown"]
    return pd.DataFrame(
        {
            "split": "test",
            "group": list("abcdef"),
            "target": [0, 1, 1, 1, 1, 1],
            "etiology": etiology,
            "likeliest_etiology": likeliest,
        }
    )


def test_positive_images_of_each_etiology_are_counted_by_the_likeliest_one():
    table = count_etiologies(predictions(["virus", "bacteria", "bacteria", "virus", "virus", "virus"]))

    assert table[["etiology", "likeliest", "images", "of_images", "n_groups"]].to_numpy().tolist() == [
        ["bacteria", "bacteria", 2, 3, 3],
        ["bacteria", "virus", 1, 3, 3],
        ["virus", "bacteria", 0, 1, 1],
        ["virus", "virus", 1, 1, 1],
    ]
    assert table["value"].tolist() == [2 / 3, 1 / 3, 0, 1]
    first = table.iloc[0]
    assert 0 < first["low"] < 2 / 3 < first["high"] < 1


def test_a_network_that_tells_none_apart_has_no_row():
    table = count_etiologies(predictions(["unknown"] * 6))

    assert table.empty
    assert list(table.columns) == COLUMNS
