import pandas as pd
import pytest

from pneumonia.adaptation.mixture import balance, mix, size_of
from pneumonia.base.places import OWN


def rows(place, negatives, positives):
    targets = [0] * negatives + [1] * positives
    return pd.DataFrame(
        {
            "sha256": [f"{place}{n}" for n in range(len(targets))],
            "label": ["PNEUMONIA" if target else "NORMAL" for target in targets],
            "target": targets,
            "place": place,
        }
    )


def plan_of(own, new):
    return pd.DataFrame({"split": ["train"] * own + ["new"] * new})


@pytest.mark.parametrize(
    ("own", "new", "changes", "size"),
    [
        (400, 30, {"images": 200, "rehearsal": 0.5}, (100, 100)),
        (400, 30, {"images": 200, "rehearsal": 0.75}, (150, 50)),
        (400, 300, {"images": 200, "rehearsal": 0.5}, (300, 300)),  # every image of the place occurs
        (400, 30, {"images": 200, "rehearsal": 0.0}, (0, 200)),
        (0, 30, {"images": 200, "rehearsal": 0.5}, (0, 200)),  # nothing to rehearse
    ],
)
def test_an_epoch_has_as_many_images_as_wanted_and_all_of_the_place(adaptation, own, new, changes, size):
    assert size_of(plan_of(own, new), adaptation(**changes)) == size


def test_images_are_repeated_evenly_until_they_fill_their_share(adaptation):
    mixture = mix(rows(OWN, 20, 40), rows("there", 3, 4), (30, 16), adaptation(seed=1))
    of_own, of_place = (mixture[mixture["place"] == place]["sha256"].value_counts() for place in (OWN, "there"))
    assert (len(mixture), of_own.sum(), of_own.max()) == (46, 30, 1)
    assert sorted(of_place) == [2, 2, 2, 2, 2, 3, 3]


def test_every_place_that_the_model_comes_from_is_rehearsed_alike(adaptation):
    own = pd.concat([rows(OWN, 50, 50), rows("earlier", 5, 5)], ignore_index=True)
    mixture = mix(own, rows("there", 2, 2), (41, 41), adaptation())
    assert mixture["place"].value_counts().to_dict() == {"there": 42, OWN: 20, "earlier": 20}


def test_the_classes_of_a_place_count_the_same_and_a_place_as_much_as_it_has_rows(adaptation):
    mixture = mix(rows(OWN, 10, 30), rows("there", 6, 2), (40, 8), adaptation())
    weights = balance(mixture)
    assert weights == {
        "own images: NORMAL": 2.0,
        "own images: PNEUMONIA": pytest.approx(2 / 3),
        "there: NORMAL": pytest.approx(2 / 3),
        "there: PNEUMONIA": 2.0,
    }
    sums = mixture["label"].map(weights).groupby(mixture["place"]).sum().to_dict()
    assert sums == pytest.approx({OWN: 40.0, "there": 8.0})


def test_a_place_with_one_class_is_not_weighted():
    mixture = rows("there", 0, 5).assign(label="there: PNEUMONIA")
    assert balance(mixture) == {"there: PNEUMONIA": 1.0}
