import re

import pandas as pd
import pytest

from pneumonia.audits.regions import Region
from pneumonia.audits.shortcuts import BEHIND, Basis, Sample
from pneumonia.metrics.bounds import difference, say_difference
from pneumonia.report import findings as report
from pneumonia.report.material import FindingsMaterial
from pneumonia.report.messages import closing_lines
from pneumonia.report.words import say_interval
from pneumonia.split.leak_audit import SplitBy
from pneumonia.split.summary import FlowStep


@pytest.fixture(scope="module")
def verdict(material):
    return report.write_verdict(
        material["metrics"], material["leak_audit"], "PNEUMONIA", "NORMAL", "the test images (9)"
    )


def test_the_verdict_counts_misses_and_false_alarms(verdict, metrics):
    test = metrics["test"]
    assert f"misses {test['confusion']['fn']} of {test['n_positive']} PNEUMONIA images" in verdict
    assert f"calls {test['confusion']['fp']} of {test['n'] - test['n_positive']} NORMAL images PNEUMONIA" in verdict
    assert f"95% interval {say_interval(test['auc'])}" in verdict


def test_the_verdict_claims_no_order_of_equal_probabilities_and_no_interval_that_there_is_not(material, verdict):
    test = {**material["metrics"]["test"], "auc": estimate(0.5, None, None)}
    test["tied_pairs"] = 1.0
    text = report.write_verdict({"test": test}, material["leak_audit"], "PNEUMONIA", "NORMAL", "the test images (9)")
    assert "50.0% of the time, with equal probabilities counted half (AUC 0.500, no interval). At" in text
    assert "counted half" not in verdict


@pytest.mark.parametrize(("ties", "is_said"), [(0.3, True), (0.0001, False), (0.0, False)])
def test_pairs_of_equal_probability_are_spoken_of_where_they_change_the_share_of_ordered_pairs(material, ties, is_said):
    test = {**material["metrics"]["test"], "auc": estimate(0.525, 0.4, 0.6), "tied_pairs": ties}
    text = report.write_verdict({"test": test}, material["leak_audit"], "PNEUMONIA", "NORMAL", "the test images (9)")
    assert ("52.5% of the time, with equal probabilities counted half" in text) is is_said


def test_the_verdict_says_how_many_test_groups_were_trained_on(material, verdict):
    assert "other splits" not in verdict
    shared = pd.DataFrame(
        [
            (SplitBy.MANIFEST, "train and test", "group", 7, 9, 100, 0.09),
            (SplitBy.MANIFEST, "val and test", "group", 6, 9, 100, 0.09),
            (SplitBy.MANIFEST, "train and val", "group", 5, 9, 100, 0.09),
        ],
        columns=material["leak_audit"].columns,
    )
    metrics = material["metrics"]
    alone = {**metrics, "test": {**metrics["test"], "n_groups": metrics["test"]["n"]}}
    text, by_image = (
        report.write_verdict(of, shared, "PNEUMONIA", "NORMAL", "the test images (9)") for of in (metrics, alone)
    )
    assert "7 in train and 6 in validation" in text
    assert "7 in train and 6 in validation" in by_image
    assert "counted on its own" in by_image
    assert "counted on its own" not in text


LOSS = ["loss", "loss_low", "loss_high", "loss_joint_low"]  # of AUC

# Titles by which several tests know a finding.
NO_LEAK = "No known group and no file is in two splits"
POOR_THRESHOLD = "The threshold does not suit these scores"
NOT_POINTING = "Maps are not shown to peak on the lesions"


def found(material, **changes):
    changed = {**material, **changes}
    return report.list_findings(
        {name: changed[name] for name in FindingsMaterial.__annotations__}, "NORMAL", "PNEUMONIA"
    )


def levels(material, **changes):
    return {finding["title"]: finding["level"] for finding in found(material, **changes)}


def with_test(material, **estimates):
    metrics = material["metrics"]
    return {**metrics, "test": {**metrics["test"], **estimates}}


def estimate(value, low, high):
    return {"value": value, "low": low, "high": high}


def test_each_finding_follows_from_its_rule(material):
    assert levels(material) == {
        "Probabilities are miscalibrated on test": "bad",
        "Shortcuts also distinguish the classes": "caution",  # the width hints at the class
        "Ahead of the best shortcut in the middle third of its scores": "good",
        "The centre of the images reveals more than their rim": "good",
        "The network judges by how the image is framed": "bad",  # the table was made so
        "The rim alone is informative": "caution",
        "Sensitive to image quality": "caution",
        NO_LEAK: "good",
        "Enough test images for a narrow interval": "good",
        "Test is at most 0.02 below validation": "good",
        "No stretch of consecutive numbers is shown to have more errors": "good",
    }


def test_what_speaks_against_a_result_comes_first(material):
    leaks = material["leak_audit"].assign(on_both_sides=1)
    order = [finding["level"] for finding in found(material, leak_audit=leaks)]
    assert order == sorted(order, key=["bad", "caution", "good"].index)
    assert order[0] == "bad"


def test_a_run_names_what_speaks_against_it_as_the_report_does(material):
    loaded = {**material, "model_lineage": {"class_names": ["NORMAL", "PNEUMONIA"]}}
    lines = closing_lines({"report"}, loaded.__getitem__)
    against = [f for f in found(material) if f["level"] != "good"]
    assert lines == [f"Against the result: {finding['title']}. {finding['text']}" for finding in against]
    assert any("framed" in line for line in lines)


def test_a_shared_group_is_found_out(material):
    leaks = material["leak_audit"].copy()
    leaks.loc[leaks["split_by"] == SplitBy.MANIFEST, "on_both_sides"] = 1
    assert levels(material, leak_audit=leaks)["The splits share groups or files"] == "bad"


def test_near_duplicates_in_two_splits_are_a_caution(material):
    near = pd.DataFrame(
        [(SplitBy.MANIFEST, "train and val", "near", 3, 3, 100, 0.03)], columns=material["leak_audit"].columns
    )
    leaks = pd.concat([material["leak_audit"], near], ignore_index=True)
    findings = {finding["title"]: finding for finding in found(material, leak_audit=leaks)}
    assert findings["Near-duplicates are in two splits"]["level"] == "caution"
    assert "3 pairs of near-duplicates" in findings["Near-duplicates are in two splits"]["text"]
    assert NO_LEAK not in findings


def test_images_without_a_group_do_not_speak_for_a_result(material):
    flow = material["data_flow"].copy()
    flow.loc[flow["step"] == FlowStep.UNGROUPED, "images"] = 220
    titles = levels(material, data_flow=flow)
    assert titles["Patients may be in two splits"] == "caution"
    assert NO_LEAK not in titles


def test_a_threshold_that_wastes_the_ranking_is_found_out(material):
    poor = {**material["metrics"]["val"], "balanced_accuracy": estimate(0.5, 0.4, 0.6)}
    metrics = {**material["metrics"], "val": poor}
    assert levels(material, metrics=metrics)[POOR_THRESHOLD] == "caution"


def test_a_threshold_is_not_blamed_where_the_interval_holds_the_best(material):
    wide = {**material["metrics"]["val"], "balanced_accuracy": estimate(0.5, 0.1, 0.999)}
    assert POOR_THRESHOLD not in levels(material, metrics={**material["metrics"], "val": wide})


LEAD = [BEHIND, f"{BEHIND}_low", f"{BEHIND}_high"]


def shortcuts(material, images, best, lead):
    """Return the audit with this AUC (value, low, high) and lead of the network for all shortcuts on some images."""
    audit = material["shortcut_audit"].copy()
    chosen = (audit["images"] == images) & (audit["predictor"] != Basis.NETWORK)
    audit.loc[chosen, ["auc", "low", "high", *LEAD]] = (*best, *lead)
    return audit


@pytest.mark.parametrize(
    ("best", "lead", "title", "level"),
    [
        ((0.95, 0.92, 0.97), (0.02, -0.01, 0.05), "Not shown to be better than a shortcut", "bad"),
        ((0.99, 0.98, 0.995), (-0.02, -0.04, -0.01), "Worse than a shortcut", "bad"),
        ((0.80, None, None), (0.17, None, None), "Not shown to be better than a shortcut", "bad"),
        # The two intervals overlap, but that of the difference excludes 0.
        ((0.96, 0.93, 0.99), (0.015, 0.004, 0.03), "Shortcuts also distinguish the classes", "caution"),
        ((0.55, 0.45, 0.65), (0.42, 0.32, 0.52), "Better than the shortcuts that were tried", "good"),
    ],
)
def test_shortcuts_are_judged_by_their_paired_difference(material, best, lead, title, level):
    assert levels(material, shortcut_audit=shortcuts(material, Sample.TEST, best, lead))[title] == level


def test_a_shortcut_that_is_not_the_best_may_be_the_one_that_is_not_excluded(material):
    audit = shortcuts(material, Sample.TEST, (0.8, 0.7, 0.9), (0.2, 0.1, 0.3))
    chosen = (audit["images"] == Sample.TEST) & (audit["predictor"] == Basis.MODE)
    audit.loc[chosen, ["auc", *LEAD]] = (0.7, 0.3, -0.1, 0.7)
    findings = {finding["title"]: finding for finding in found(material, shortcut_audit=audit)}
    text = findings["Not shown to be better than a shortcut"]["text"]
    assert "“stored mode” (AUC 0.700) cannot see the lungs, so the result does not show" in text


@pytest.mark.parametrize(("others", "said"), [(0.1, "That shortcut"), (-0.1, "“stored mode”")])
def test_the_best_shortcut_is_not_told_twice_with_its_auc(material, others, said):
    audit = shortcuts(material, Sample.TEST, (0.8, 0.7, 0.9), (0.2, others, 0.3))
    chosen = (audit["images"] == Sample.TEST) & (audit["predictor"] == Basis.MODE)
    audit.loc[chosen, ["auc", *LEAD]] = (0.95, 0.0, -0.1, 0.1)
    findings = {finding["title"]: finding for finding in found(material, shortcut_audit=audit)}
    text = findings["Not shown to be better than a shortcut"]["text"]
    assert text.endswith(
        f" {said} cannot see the lungs, so the result does not show that the network reads radiographs."
    )
    assert text.count("AUC 0.950") == 1


def test_what_sees_the_lungs_does_not_make_a_result_a_shortcut(material):
    audit = shortcuts(material, Sample.TEST, (0.7, 0.6, 0.8), (0.2, 0.1, 0.3))
    chosen = (audit["images"] == Sample.TEST) & (audit["predictor"] == Basis.BRIGHTNESS)
    audit.loc[chosen, ["auc", *LEAD]] = (0.95, 0.0, -0.1, 0.1)
    assert (
        levels(material, shortcut_audit=audit)["Not shown to be better than grey levels and detail as a whole"]
        == "caution"
    )


def test_only_the_best_of_many_shortcuts_are_named(material):
    audit = shortcuts(material, Sample.TEST, (0.8, 0.7, 0.9), (0.1, -0.1, 0.3))
    findings = {finding["title"]: finding for finding in found(material, shortcut_audit=audit)}
    text = findings["Not shown to be better than a shortcut"]["text"]
    assert re.search(r"(“[^”]+”, ){2}“[^”]+” and 8 others", text)


@pytest.mark.parametrize(
    ("lead", "title", "level"),
    [
        ((0.2, 0.1, 0.3), "Ahead of the best shortcut in the middle third of its scores", "good"),
        (
            (0.2, -0.1, 0.5),
            "Not shown to be ahead of the best shortcut in the middle third of its scores",
            "caution",
        ),
        (
            (0.2, None, None),
            "Too few images to compare the network with the best shortcut in the middle third of its scores",
            "caution",
        ),
    ],
)
def test_the_network_is_judged_where_the_best_shortcut_tells_least(material, lead, title, level):
    audit = shortcuts(material, Sample.MIDDLE_THIRD, (0.6, 0.4, 0.8), lead)
    assert levels(material, shortcut_audit=audit)[title] == level


@pytest.mark.parametrize(
    ("rim", "behind", "title", "level"),
    [
        (
            (0.97, 0.95, 0.98),
            (-0.37, -0.47, -0.26),
            "The network relies more on the rim than on the centre",
            "bad",
        ),
        (
            (0.80, 0.70, 0.90),
            (0.05, -0.02, 0.12),
            "Not shown to rely on the centre of the image",
            "caution",
        ),
        ((0.80, 0.75, 0.85), (0.17, 0.11, 0.22), "The rim alone is informative", "caution"),
        ((0.60, 0.45, 0.75), (0.37, 0.22, 0.52), "The network relies more on the centre than on the rim", "good"),
    ],
)
def test_regions_are_judged_by_their_paired_difference(material, rim, behind, title, level):
    regions = material["region_audit"].set_index("predictor")
    regions.loc[Region.CENTRE_HIDDEN, ["auc", "low", "high"]] = rim
    regions.loc[Region.CENTRE_HIDDEN, ["behind_centre", "behind_centre_low", "behind_centre_high"]] = behind
    findings = {finding["title"]: finding for finding in found(material, region_audit=regions.reset_index())}
    assert findings[title]["level"] == level
    assert "no more than a small rectangle of an image was covered" in findings[title]["text"]


@pytest.mark.parametrize(
    ("test", "title", "level"),
    [
        (estimate(0.90, 0.87, 0.92), "Worse on test than on validation", "caution"),
        (estimate(0.985, 0.95, 0.995), "A loss of more than 0.02 from validation to test is not excluded", "caution"),
        (estimate(0.99, 0.985, 0.994), "Test is at most 0.02 below validation", "good"),
    ],
)
def test_validation_and_test_are_compared_by_the_interval_of_their_difference(material, test, title, level):
    metrics = with_test(material, auc=test)
    metrics["val"] = {**metrics["val"], "auc": estimate(0.99, 0.985, 0.994)}
    assert levels(material, metrics=metrics)[title] == level


@pytest.mark.parametrize(
    ("worst", "title", "level"),
    [
        ((0.08, 0.05, 0.11, 0.03), "Sensitive to image quality", "caution"),
        (
            (0.08, 0.05, 0.11, -0.01),
            "A loss of more than 0.05 of AUC under medium corruption is not excluded",
            "caution",
        ),
        (
            (0.02, -0.01, 0.06, -0.03),
            "A loss of more than 0.05 of AUC under medium corruption is not excluded",
            "caution",
        ),
        ((0.01, 0.002, 0.03, -0.01), "Loses at most 0.05 of AUC under medium corruption", "good"),
    ],
)
def test_damage_is_judged_by_its_paired_loss(material, worst, title, level):
    table = material["robustness"].copy()
    table.loc[table["strength"] > 0, LOSS] = worst
    assert levels(material, robustness=table)[title] == level


def test_a_loss_that_is_claimed_is_given_with_the_bound_that_holds_for_all_corruptions(material):
    table = material["robustness"].copy()
    table.loc[table["strength"] > 0, LOSS] = (0.08, 0.05, 0.11, 0.03)
    findings = {finding["title"]: finding["text"] for finding in found(material, robustness=table)}
    said = "loss 0.080 (0.050 to 0.110, paired), at least 0.030 with all 9 judged together (Bonferroni)."
    assert findings["Sensitive to image quality"].endswith(said)


def test_a_corruption_with_a_wide_loss_counts_even_if_another_costs_more(material):
    table = material["robustness"].copy()
    table.loc[table["strength"] > 0, ["auc", *LOSS]] = (0.95, 0.01, 0.002, 0.03, -0.01)
    wide = table.index[table["strength"] == report.MEDIUM][-1]
    table.loc[wide, ["auc", *LOSS]] = (0.955, 0.005, -0.05, 0.08, -0.09)

    title = "A loss of more than 0.05 of AUC under medium corruption is not excluded"
    findings = {finding["title"]: finding for finding in found(material, robustness=table)}
    assert findings[title]["level"] == "caution"
    # Not the worst by its value, so it is not called so.
    kind = table.loc[wide, "kind"]
    assert f"{kind}, AUC 0.955" in findings[title]["text"]
    assert "worst" not in findings[title]["text"].lower()


@pytest.mark.parametrize(("other", "is_shown"), [(0.96, False), (0.89, False), (0.975, True), (0.87, True)])
def test_a_wide_interval_is_said_to_hide_what_the_interval_of_a_difference_does_not_show(material, other, is_shown):
    auc, known = estimate(0.95, 0.88, 0.97), estimate(other, other, other)
    assert (say_difference(difference(auc, known)) != "not shown to be different") is is_shown
    finding = report.judge_precision(with_test(material, auc=auc)["test"], "test images")
    assert "An AUC within it, measured on other images, is not shown to differ." in finding["text"]


@pytest.mark.parametrize(
    ("kind", "title", "which"),
    [
        ("all_zoomed", "Sensitive to how much of the body an image shows", "of both classes reframed"),
        (
            "positives_widened",
            "Widening the positive images lowers the AUC",
            "PNEUMONIA validation images reframed",
        ),
        (
            "negatives_styled",
            "Sensitive to the style of the other class",
            "NORMAL validation images restyled (grey levels of a positive)",
        ),
    ],
)
@pytest.mark.parametrize(
    ("loss", "is_said"),
    [
        ((0.2, 0.1, 0.3, 0.05), True),
        ((0.03, 0.01, 0.06, 0.001), True),
        ((0.03, 0.01, 0.06, -0.001), False),
        ((0.03, -0.01, 0.07, -0.02), False),
        ((0.02, 0.01, 0.04, 0.005), False),
    ],
)
def test_a_loss_under_another_framing_is_said_if_it_is_shown_and_may_be_large(
    material, kind, title, which, loss, is_said
):
    table = material["framing_audit"].copy()
    table.loc[table["kind"] == kind, LOSS] = loss
    findings = {finding["title"]: finding for finding in found(material, framing_audit=table)}
    text = findings.get(title, {"text": ""})["text"]
    assert (which in text and "specificity" in text) is is_said
    assert ("Reflections" in text) is (is_said and kind == "positives_widened")
    assert ("the disease itself changes grey levels" in text) is (is_said and kind == "negatives_styled")


@pytest.mark.parametrize(
    ("behind", "title", "level"),
    [
        ((0.2, 0.1, 0.3), "The centre of the images reveals more than their rim", "good"),
        ((0.1, -0.1, 0.3), "The centre of the images is not shown to reveal more than their rim", "caution"),
        ((-0.2, -0.3, -0.1), "The rim of the images reveals more than their centre", "bad"),
    ],
)
def test_rim_and_centre_are_compared_by_networks_trained_on_each(material, behind, title, level):
    table = material["twin_audit"].copy()
    table.loc[0, ["behind_centre", "behind_centre_low", "behind_centre_high"]] = behind
    assert levels(material, twin_audit=table)[title] == level


@pytest.mark.parametrize(("similarity", "is_said"), [(0.5, True), (0.49, False)])
def test_maps_that_hardly_change_with_the_weights_are_a_point_against_them(material, similarity, is_said):
    found = {**material["map_similarity"], "similarity": similarity}
    title = "The maps hardly depend on what the network has learned"
    assert (title in levels(material, map_similarity=found)) is is_said


def test_robustness_that_was_not_measured_speaks_against_the_result(material):
    assert levels(material, robustness=material["robustness"][:0])["Robustness not measured"] == "caution"


@pytest.mark.parametrize(
    ("hits", "title"),
    [
        (estimate(0.5, 0.4, 0.6), "Maps peak on lesions more often than expected by chance"),
        (estimate(0.25, 0.2, 0.3), NOT_POINTING),  # under 3 times 0.1
        (estimate(0.5, 0.05, 0.9), NOT_POINTING),
    ],
)
def test_pointing_is_judged_by_three_times_the_lesions_share_and_the_interval(material, hits, title):
    pointing = {"n": 50, "n_groups": 30, "hits": hits, "lesion_share": 0.1}
    assert title in levels(material, pointing=pointing)


def test_maps_that_peak_at_one_place_whatever_the_image_are_not_shown_to_point(material):
    pointing = {"n": 50, "n_groups": 30, "hits": estimate(0.5, 0.4, 0.6), "lesion_share": 0.1, "others_share": 0.4}
    assert NOT_POINTING in levels(material, pointing=pointing)


def test_maps_can_be_good_where_lesions_are_large(material):
    for value, title in (
        (0.9, "Maps peak on lesions more often than expected by chance"),
        (0.75, NOT_POINTING),
    ):
        pointing = {"n": 50, "n_groups": 30, "hits": estimate(value, 0.6, 0.95), "lesion_share": 0.4}
        assert title in levels(material, pointing=pointing)


def test_nothing_speaks_for_a_network_that_may_be_guessing(material):
    of_guess = levels(material, metrics=with_test(material, auc=estimate(0.56, 0.48, 0.62)))
    assert of_guess["Not shown to be better than chance"] == "bad"
    below = levels(material, metrics=with_test(material, auc=estimate(0.35, 0.28, 0.42)))
    assert below["Worse than chance"] == "bad"
    assert "Well calibrated on test" not in of_guess


def test_too_few_groups_for_an_interval_are_the_gravest_finding(material):
    none = estimate(0.9, None, None)
    assert levels(material, metrics=with_test(material, auc=none)) == {
        "No interval": "bad",
        NO_LEAK: "good",
    }
    assert say_interval(none) == "no interval"


@pytest.mark.parametrize(
    ("slope", "shift", "title"),
    [
        (estimate(1.0, 0.85, 1.2), estimate(0.1, -0.1, 0.2), "Well calibrated on test"),
        (
            estimate(1.1, 1.02, 1.2),
            estimate(0.1, 0.05, 0.15),
            "Well calibrated on test",
        ),  # off, by what does not matter
        (estimate(2.1, 0.1, 9.0), estimate(0.0, -0.1, 0.1), "Calibration cannot be judged"),
        (estimate(1.1, 0.8, 1.4), estimate(0.1, -0.2, 0.4), "Calibration cannot be judged"),
        (estimate(0.6, 0.4, 0.8), estimate(0.1, -0.2, 0.4), "Probabilities are miscalibrated on test"),
        (estimate(1.1, 0.8, 1.4), estimate(0.5, 0.2, 0.8), "Probabilities are miscalibrated on test"),
        (estimate(1.1, None, None), estimate(0.5, None, None), "Calibration cannot be judged"),
        (estimate(None, None, None), estimate(0.1, -0.2, 0.4), "Calibration cannot be judged"),
    ],
)
def test_calibration_is_judged_by_its_intervals(material, slope, shift, title):
    joint = {"calibration_slope": slope, "calibration_in_the_large": shift}
    changed = with_test(material, calibration_joint=joint)
    of_error = found(material, metrics=changed)
    assert title in {finding["title"] for finding in of_error}
    assert not any("On average a probability is off" in finding["text"] for finding in of_error)


def test_calibration_is_judged_by_intervals_that_hold_together(material):
    test = material["metrics"]["test"]
    for name in ("calibration_slope", "calibration_in_the_large"):
        assert test["calibration_joint"][name]["value"] == test[name]["value"]
        assert test["calibration_joint"][name]["low"] < test[name]["low"]
        assert test["calibration_joint"][name]["high"] > test[name]["high"]


def test_a_slope_that_cannot_be_fitted_is_said_to_be_so(material):
    joint = {**material["metrics"]["test"]["calibration_joint"], "calibration_slope": estimate(None, None, None)}
    none = with_test(material, calibration_joint=joint)
    findings = {finding["title"]: finding for finding in found(material, metrics=none)}
    text = findings["Calibration cannot be judged"]["text"]
    assert "cannot be fitted" in text
