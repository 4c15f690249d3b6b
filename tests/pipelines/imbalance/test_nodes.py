import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import ImbalanceParameters
from pneumonia.model.recipe import weigh_classes
from pneumonia.pipelines.imbalance.figures import draw_class_balance
from pneumonia.split.summary import count_classes

# Train: 4 NORMAL of 3 groups, 12 PNEUMONIA of 2 groups. Val: 1 and 3. Test: 2 and 2.
MANIFEST = pd.DataFrame(
    [("train", "NORMAL", 0, g) for g in "aabc"]
    + [("train", "PNEUMONIA", 1, g) for g in "d" * 9 + "e" * 3]
    + [("val", "NORMAL", 0, "f")]
    + [("val", "PNEUMONIA", 1, g) for g in "ghi"]
    + [("test", "NORMAL", 0, g) for g in "jj"]
    + [("test", "PNEUMONIA", 1, g) for g in "kl"],
    columns=["split", "label", "target", "group"],
)


def test_images_groups_and_shares_are_counted_by_split_and_class():
    assert count_classes(MANIFEST).to_dict("split")["data"] == [
        ["train", "NORMAL", 0, 4, 3, 0.25],
        ["train", "PNEUMONIA", 1, 12, 2, 0.75],
        ["val", "NORMAL", 0, 1, 1, 0.25],
        ["val", "PNEUMONIA", 1, 3, 3, 0.75],
        ["test", "NORMAL", 0, 2, 1, 0.5],
        ["test", "PNEUMONIA", 1, 2, 2, 0.5],
    ]


def test_counting_does_not_depend_on_the_order_of_rows():
    shuffled = MANIFEST.sample(frac=1, random_state=0)

    pd.testing.assert_frame_equal(count_classes(shuffled), count_classes(MANIFEST))


def test_a_class_weighs_n_over_two_n_c_of_train_alone():
    weights = weigh_classes(count_classes(MANIFEST), ImbalanceParameters(treatment="class_weights", sites="equal"))

    assert weights == {"NORMAL": 16 / 8, "PNEUMONIA": 16 / 24}


def test_both_classes_weigh_the_same_in_sum():
    weights = weigh_classes(count_classes(MANIFEST), ImbalanceParameters(treatment="class_weights", sites="equal"))

    assert weights["NORMAL"] * 4 == pytest.approx(weights["PNEUMONIA"] * 12)


def test_without_treatment_every_image_weighs_one():
    weights = weigh_classes(count_classes(MANIFEST), ImbalanceParameters(treatment="none", sites="equal"))

    assert weights == {"NORMAL": 1.0, "PNEUMONIA": 1.0}


def test_the_figure_counts_groups_only_where_they_are_not_the_images():
    alone = MANIFEST.assign(group=range(len(MANIFEST)))
    for manifest, said in ((MANIFEST, "4 (25%), 3 groups"), (alone, "4 (25%)")):
        axes = draw_class_balance(count_classes(manifest), {"NORMAL": 2.0, "PNEUMONIA": 2 / 3}).axes[0]
        assert said in [text.get_text() for text in axes.texts]


def test_a_class_that_is_rare_does_not_read_as_none_of_its_split():
    rows = {"split": "train", "label": ["NORMAL", "PNEUMONIA"], "target": [0, 1], "images": [249, 1]}
    counts = pd.DataFrame({**rows, "groups": 1, "share": [0.996, 0.004]})
    said = [text.get_text() for text in draw_class_balance(counts, {"NORMAL": 0.5, "PNEUMONIA": 125.0}).axes[0].texts]
    assert {"249 (99.6%), 1 group", "1 (0.4%), 1 group"} <= set(said)


def test_the_figure_names_every_split_and_the_weights():
    counts = count_classes(MANIFEST)

    axes = draw_class_balance(counts, {"NORMAL": 2.0, "PNEUMONIA": 2 / 3}).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["train", "val", "test"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "NORMAL, weight 2.00",
        "PNEUMONIA, weight 0.67",
    ]


def test_classes_are_balanced_within_each_site():
    other = [("train", label, target, label) for label, target in (("NORMAL", 0), ("PNEUMONIA", 1)) for _ in range(8)]
    both = pd.concat(
        [MANIFEST.assign(site="a"), pd.DataFrame(other, columns=MANIFEST.columns).assign(site="b")], ignore_index=True
    )

    weights = weigh_classes(count_classes(both), ImbalanceParameters(treatment="class_weights", sites="equal"))
    # 16 training images of each site, 4 and 12 of them of the classes at "a": n / (2 k n_sc).
    assert weights == {"a: NORMAL": 2, "b: NORMAL": 1, "a: PNEUMONIA": pytest.approx(2 / 3), "b: PNEUMONIA": 1}


def test_a_site_weighs_as_much_as_another_or_as_its_images():
    twice = pd.concat([MANIFEST.assign(site="a"), *[MANIFEST.assign(site="b")] * 3], ignore_index=True)
    train = twice[twice["split"] == "train"]

    def weight_of(site, sites):
        weights = weigh_classes(count_classes(twice), ImbalanceParameters(treatment="class_weights", sites=sites))
        rows = train[train["site"] == site]
        return (rows["site"] + ": " + rows["label"]).map(weights).sum()

    assert weight_of("a", "equal") == weight_of("b", "equal") == pytest.approx(len(train) / 2)
    assert weight_of("a", "by_size") == pytest.approx(weight_of("b", "by_size") / 3)


def test_a_site_of_one_class_is_refused():
    both = pd.concat([MANIFEST.assign(site="a"), MANIFEST[MANIFEST["target"] == 1].assign(site="b")])

    with pytest.raises(UserError, match="Site b"):
        weigh_classes(count_classes(both), ImbalanceParameters(treatment="class_weights", sites="equal"))
