import pandas as pd
import pytest

from pneumonia.report.messages import (
    closing_lines,
    say_against,
    say_export,
    say_files,
    say_metrics,
    say_page,
    say_predictions,
    say_split,
    say_training,
)

RECORD = {
    "auc": {"value": 0.996, "low": 0.991, "high": 0.998},
    "sensitivity": {"value": 0.9434, "low": 0.916, "high": 0.961},
    "specificity": {"value": None, "low": None, "high": None},
    "n": 1614,
    "n_groups": 407,
}


def test_the_files_are_accounted_for():
    flow = pd.DataFrame(
        [("found", 5216, ""), ("found_in", 9, "a"), ("duplicate", 26, ""), ("rejected", 0, ""), ("used", 5190, "")],
        columns=["step", "images", "note"],
    )
    assert say_files(flow) == "Images: 5,216 files found, 26 surplus copies, 0 rejected, 5,190 used."


def test_files_that_were_left_out_are_accounted_for_too():
    counts = {"found": 20, "duplicate": 1, "rejected": 2, "unlabelled": 3, "test_group": 4, "used": 10}
    flow = pd.DataFrame({"step": counts.keys(), "images": counts.values()})
    assert say_files(flow) == (
        "Images: 20 files found, 1 surplus copy, 2 rejected, 3 left out by the table of labels, 4 left out because "
        "their group is in test, 10 used."
    )


def test_the_split_is_counted_with_the_groups_that_leak():
    split, group = ["train"] * 3 + ["val"] * 2, ["a", "a", "b", "b", "c"]
    manifest = pd.DataFrame({"split": split, "group": group, "path": list("vwxyz")})
    by_image = say_split(manifest.assign(group=manifest["path"]))
    assert by_image.startswith("Split: train 3 images, val 2 images, image by image; whether patients are on both")
    assert say_split(manifest) == (
        "Split: train 3 images of 2 groups, val 2 images of 2 groups; groups on both sides: 1."
    )


def test_each_result_has_its_interval():
    assert say_metrics("Test", RECORD) == (
        "Test: AUC 0.996 (0.991 to 0.998), sensitivity 0.943 (0.916 to 0.961), specificity – (no interval); "
        "1,614 images of 407 groups, 95% intervals."
    )


def test_the_kept_epochs_are_named():
    history = pd.DataFrame({"epoch": [1, 2, 3], "kept": [0, 1, 0], "val_auc": [0.9, 0.98, 0.97]})
    lineage = {"training": {"epochs": 3, "validation_freq": 1}}
    assert say_training(history, lineage) == (
        "Training: 3 epochs, kept 2; validation AUC of that epoch, without averaging over views, 0.980 "
        "(optimistic: used to choose it)."
    )
    assert say_training(history.assign(kept=[0, 1, 1]), lineage) == (
        "Training: 3 epochs, kept 2, 3; AUC of those epochs, each on its member's own fold of train, without averaging "
        "over views, 0.980, 0.970 (optimistic: used to choose them)."
    )
    assert say_training(history[1:2].assign(epoch=1), lineage).startswith("Training: 1 epoch, kept 1; ")


def test_where_only_the_last_epoch_was_validated_its_auc_is_not_said_to_have_chosen_it():
    history = pd.DataFrame({"epoch": [1, 2], "kept": [0, 1], "val_auc": [None, 0.98]})
    assert say_training(history, {"training": {"epochs": 2, "validation_freq": 6}}) == (
        "Training: 2 epochs, kept 2; validation AUC of that epoch, without averaging over views, 0.980."
    )


def test_the_epoch_of_an_adaptation_is_not_said_to_be_chosen():
    history = pd.DataFrame({"epoch": [1, 2], "kept": [0, 1], "val_auc": [0.9, 0.98]})
    assert say_training(history, {"adaptation": {}}) == "Adaptation: 2 epochs, of which the last was kept."
    assert say_training(history[:1], {"adaptation": {}}).startswith("Adaptation: 1 epoch, ")


def test_only_what_speaks_against_a_result_is_said():
    findings = [
        {"level": "bad", "title": "A", "text": "One."},
        {"level": "good", "title": "B", "text": "Two."},
        {"level": "caution", "title": "C?", "text": "Three."},
    ]
    assert say_against(findings) == ["Against the result: A. One.", "Against the result: C? Three."]


def test_new_images_are_counted():
    table = pd.DataFrame({"decision": ["PNEUMONIA", "NORMAL", "", ""], "in_range": ["yes", "yes", "no", ""]})
    assert say_predictions(table, ["NORMAL", "PNEUMONIA"]) == (
        "New images: 4; 1 called PNEUMONIA, 1 called NORMAL, 1 out of range (no decision), 1 unusable. "
        "Research software, not a medical device."
    )


def test_a_run_that_makes_nothing_to_wait_for_says_nothing_and_loads_nothing():
    assert closing_lines({"batch_figure"}, pytest.fail) == []


def test_a_run_says_what_it_made():
    loaded = {"metrics": {"test": RECORD}, "class_weights": {"NORMAL": 1.94, "PNEUMONIA": 0.67}}
    lines = closing_lines({"metrics", "class_weights"}, loaded.__getitem__)
    assert lines[0] == "Class weights: NORMAL 1.94, PNEUMONIA 0.67."
    assert lines[1].startswith("Test: AUC 0.996")


@pytest.mark.parametrize(
    ("times", "line"),
    [
        (
            {"most": 1, "median": 1.0},
            "The ledger of this project knows of no earlier run that scored any ",
        ),
        ({"most": 12, "median": 7.0}, "A model scored these test images in up to 12 runs (median 7), this one "),
        ({"most": 2, "median": 1.5}, "A model scored these test images in up to 2 runs (median 1.5), this one "),
        (3, "A model scored these test images in up to 3 runs (median 3), this one included."),
    ],
)
def test_a_run_says_how_often_its_test_images_were_scored(times, line):
    record = {"data": {"test_scorings": times}}
    (said,) = closing_lines({"run_record"}, {"run_record": record}.__getitem__)
    assert said.startswith(line)


def test_an_export_says_how_close_it_is():
    near, far = {"n": 9, "largest_difference": 1e-7}, {"n": 1200, "largest_difference": 8.2e-6}
    record = {"failures": [], "formats": {"model.onnx": {"batch_64": far, "batch_1": near}}}
    assert say_export(record) == (
        "Export: probabilities differ from Keras by at most 9e-06 on 1,200 validation and test images, and no "
        "decision changes."
    )
    exact = {"failures": [], "formats": {"model.onnx": {"batch_64": {"n": 9, "largest_difference": 0.0}}}}
    assert "by at most 0e+00 on 9" in say_export(exact)
    assert closing_lines({"export_parity"}, lambda _: {**record, "failures": ["a", "b"]}) == [
        "Export: the files do not match the Keras model: a; b."
    ]


def test_a_page_can_be_clicked(tmp_path):
    assert say_page(tmp_path / "a b.html") == f"Report: file://{tmp_path}/a%20b.html"
