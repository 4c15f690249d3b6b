import logging

import pandas as pd
import pytest

from pneumonia.adaptation.plan import COST, balance, list_draws, mix, plan_adaptation, size_of, store_new_pixels
from pneumonia.base.errors import UserError
from pneumonia.base.places import OWN
from pneumonia.images.source import ImageSource
from pneumonia.model.lineage import manifest_digest


@pytest.fixture
def lineage(tiny_manifest, tiny_store):
    digest = manifest_digest(tiny_manifest)
    return {
        "manifest_sha256": digest,
        "pixels": tiny_store.fingerprint,
        "image_size": 32,
        "resize": "squeeze",
        "positive_class": "PNEUMONIA",
    }


def index_of(n, split="train"):
    """Return the index of images there, two of each group."""
    return pd.DataFrame(
        {
            "path": [f"there/{n:03d}.png" for n in range(n)],
            "sha256": [f"{n:064d}" for n in range(n)],
            "bits": 0,
            "perceptual_hash": "",
            "group": [f"g{n // 2}" for n in range(n)],
            "label": ["PNEUMONIA" if n // 2 % 2 else "NORMAL" for n in range(n)],
            "source_split": split,
            "status": "ok",
        }
    )


@pytest.fixture
def plan(tiny_manifest, tiny_stores, lineage, default_parameters, tmp_path):
    def make(index, stores=tiny_stores, **changes):
        parameters = {**default_parameters, "adaptation": {**default_parameters["adaptation"], **changes}}
        source = ImageSource(str(tmp_path / "elsewhere"))
        return plan_adaptation(tiny_manifest, lineage, index, source, stores, parameters)

    return make


def test_own_images_are_rehearsed_and_watched_and_new_ones_are_in_folds_by_group(plan):
    found = plan(index_of(20), folds=5)
    counts = found.groupby(["place", "split"]).size().to_dict()
    assert counts == {(OWN, "train"): 24, (OWN, "val"): 8, ("elsewhere", "new"): 20}
    new = found[found["split"] == "new"]
    assert sorted(new["fold"].unique()) == [1, 2, 3, 4, 5]
    assert new.groupby("group")["fold"].nunique().max() == 1
    assert set(found.loc[found["place"] == OWN, "fold"]) == {0}


def test_test_images_of_the_place_are_held_out_with_their_whole_group(plan):
    index = index_of(24)
    index.loc[[0, 2], "source_split"] = "test"  # one image of a group of each class
    found = plan(index, folds=2).set_index("path")
    held_out = found[found["split"] == "test"]
    assert sorted(held_out.index) == ["there/000.png", "there/001.png", "there/002.png", "there/003.png"]
    assert set(held_out["fold"]) == {0}
    assert set(found.loc[found["split"] == "new", "fold"]) == {1, 2}


def test_a_folder_test_alone_is_no_test(plan):
    found = plan(index_of(20, split="test"), folds=5)
    assert set(found.loc[found["place"] == "elsewhere", "split"]) == {"new"}


def test_a_test_of_one_class_is_refused(plan):
    index = index_of(24)
    index.loc[0, "source_split"] = "test"
    with pytest.raises(UserError, match="only one class"):
        plan(index, folds=2)


def test_too_few_groups_for_the_folds_are_refused(plan):
    with pytest.raises(UserError, match=r"adaptation\.folds is 5"):
        plan(index_of(8), folds=5)


def test_without_stored_own_images_the_plan_says_what_that_costs(plan, other_stores, caplog):
    with caplog.at_level(logging.WARNING):
        found = plan(index_of(20), other_stores)
    assert set(found["split"]) == {"new"}
    assert "32 of the 32 images" in caplog.text
    assert COST in caplog.text


def test_larger_draws_contain_the_smaller_ones_and_leave_out_one_fold(plan, adaptation):
    found = plan(index_of(80), folds=2)
    draws = list(list_draws(found, adaptation(folds=2, curve_groups=(4, 10, 200), curve_draws=3)))
    assert [(draw, fold, n) for draw, fold, n, _ in draws] == [
        *((1, 1, 4), (1, 1, 10), (1, 1, 20), (2, 2, 4), (2, 2, 10), (2, 2, 20)),
        *((3, 1, 4), (3, 1, 10), (3, 1, 20)),
    ]
    for draw, fold, n_groups, images in draws:
        assert images["group"].nunique() == n_groups
        assert fold not in set(images["fold"])
        assert images.groupby("target")["group"].nunique().tolist() == [n_groups / 2] * 2
        if n_groups == 4:
            larger = next(rows for other, _, n, rows in draws if other == draw and n == 10)
            assert set(images["path"]) < set(larger["path"])
    assert set(draws[0][3]["group"]) != set(draws[6][3]["group"])  # another draw


def test_the_pixels_of_usable_images_are_requested_as_the_model_reads_them(lineage, tmp_path):
    index = index_of(4).assign(status=["ok", "duplicate", "ok", "rejected"])
    request = store_new_pixels(ImageSource(str(tmp_path)), index, lineage)
    assert request.paths == ("there/000.png", "there/002.png")
    assert (request.image_size, request.resize) == (32, "squeeze")


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
        (400, 3, {"images": 200, "rehearsal": 0.25}, (65, 135)),  # each comes at most 45 times
        (400, 3, {"images": 200, "rehearsal": 0.0}, (0, 200)),
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
