import pandas as pd
import pytest

from pneumonia.audits.shortcuts import Predictor
from pneumonia.report import findings as report
from pneumonia.split.leak_audit import SplitBy
from pneumonia.split.summary import FlowStep


def record(environment="local", etiologies=("bacteria", "none", "virus"), test_from=("test",)):
    return {"environment": environment, "data": {"etiologies": list(etiologies), "test_from": list(test_from)}}


def counts(normal, pneumonia):
    return pd.DataFrame({"split": "test", "target": [0, 1], "images": [normal, pneumonia]})


@pytest.mark.parametrize(
    ("of_run", "kind"),
    [(record("demo"), "demo"), (record(), "kermany"), (record(etiologies=("none", "unknown")), "own")],
)
def test_images_are_called_what_they_are(of_run, kind):
    assert report.name_images(of_run) == kind


def test_only_all_624_images_are_called_the_published_test_set():
    assert report.name_test(record(), counts(234, 390)) == "the published test set (624 images)"
    recut = report.name_test(record(), counts(160, 460))
    assert recut == "the test folder of the source as it was given (620 images)"
    drawn = report.name_test(record(test_from=("train",)), counts(234, 390))
    assert drawn.startswith("a held-out part of the images (624 images)")
    assert report.name_test(record("demo"), counts(40, 68)) == "the synthetic test images (108 images)"


def test_the_verdict_counts_misses_and_false_alarms(metrics):
    text = report.write_verdict(metrics, "PNEUMONIA", "NORMAL", "the test images")
    test = metrics["test"]
    assert f"misses {test['confusion']['fn']} of {test['n_positive']} PNEUMONIA images" in text
    assert f"calls {test['confusion']['fp']} of {test['n'] - test['n_positive']} NORMAL images PNEUMONIA" in text
    assert f"95% interval {test['auc']['low']:.3f} to {test['auc']['high']:.3f}" in text


AUDITS = ("decision", "leak_audit", "shortcut_audit", "region_audit", "robustness", "pointing")


def levels(material, **changes):
    changed = {**material, **changes}
    findings = report.list_findings(changed["metrics"], *(changed[name] for name in AUDITS))
    return {finding["title"]: finding["level"] for finding in findings}


def test_each_finding_follows_from_its_rule(material):
    assert levels(material) == {
        "No group and no file is on both sides": "good",
        "Enough test images to tell": "good",
        "Test agrees with validation": "good",
        "Shortcuts exist in these images": "caution",  # the width was made to tell
        "The rim alone tells a lot": "caution",
        "Probabilities hold on test": "good",
        "Sensitive to image quality": "caution",
    }


def test_a_shared_group_is_found_out(material):
    leaks = material["leak_audit"].copy()
    leaks.loc[leaks["split_by"] == SplitBy.MANIFEST, "on_both_sides"] = 1
    assert levels(material, leak_audit=leaks)["The splits share groups or files"] == "bad"


def test_a_threshold_that_wastes_the_ranking_is_found_out(material):
    poor = {**material["metrics"]["val"], "balanced_accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}
    found = levels(material, metrics={**material["metrics"], "val": poor})
    assert found["The threshold does not suit these scores"] == "caution"


def test_a_shortcut_as_good_as_the_network_is_found_out(material):
    audit = material["shortcut_audit"].assign(auc=0.999)
    assert levels(material, shortcut_audit=audit)["A shortcut does as well"] == "bad"


def test_a_network_that_reads_the_rim_is_found_out(material):
    regions = material["region_audit"].assign(auc=[0.99, 0.97, 0.6])
    assert levels(material, region_audit=regions)["It reads the rim of the image"] == "bad"


@pytest.mark.parametrize(
    ("hits", "title"),
    [
        ({"value": 0.5, "low": 0.4, "high": 0.6}, "It looks at the lesions"),
        ({"value": 0.25, "low": 0.2, "high": 0.3}, "It does not clearly look at the lesions"),  # under 3 times 0.1
        ({"value": 0.5, "low": 0.05, "high": 0.9}, "It does not clearly look at the lesions"),
    ],
)
def test_pointing_is_judged_by_three_times_the_lesions_share_and_the_interval(material, hits, title):
    pointing = {"n": 50, "n_groups": 30, "hits": hits, "lesion_share": 0.1}
    assert title in levels(material, pointing=pointing)


def test_nothing_speaks_for_a_network_that_may_be_guessing(material):
    auc = {"value": 0.56, "low": 0.48, "high": 0.62}
    metrics = {**material["metrics"], "test": {**material["metrics"]["test"], "auc": auc}}
    found = levels(material, metrics=metrics)
    assert found["It may be guessing"] == "bad"
    assert "Test agrees with validation" not in found


def test_the_limits_begin_with_what_this_software_is_not(material):
    limits = report.list_limits(material["run_record"], material["metrics"], material["data_flow"])
    assert limits[0].startswith("Research software, not a medical device.")
    assert any("fell to 0.54 on children of another hospital" in limit for limit in limits)
    assert any(limit.startswith("Validation figures are optimistic") for limit in limits)


def test_limits_of_synthetic_images_claim_nothing_about_children(material):
    demo = {**material["run_record"], "environment": "demo"}
    limits = report.list_limits(demo, material["metrics"], material["data_flow"])
    assert report.DEMO_NOTE in limits
    assert not any("hospital" in limit for limit in limits)


def test_images_without_a_group_are_a_limit(material):
    flow = material["data_flow"].copy()
    flow.loc[flow["step"] == FlowStep.UNGROUPED, "images"] = 77
    limits = report.list_limits(material["run_record"], material["metrics"], flow)
    assert any(limit.startswith("No group could be read for 77 images") for limit in limits)


def test_what_the_other_findings_say_when_all_is_well_or_not(material):
    wide = {"value": 0.9, "low": 0.85, "high": 0.95}
    metrics = {**material["metrics"], "test": {**material["metrics"]["test"], "auc": wide}}
    found = levels(material, metrics=metrics)
    assert found["Few test images"] == found["Worse on test than on validation"] == "caution"
    audit = material["shortcut_audit"]
    audit = audit.assign(auc=audit["auc"].where(audit["predictor"] == Predictor.NETWORK, 0.55))
    regions = material["region_audit"].assign(auc=[0.99, 0.55, 0.97])
    calm = material["robustness"].assign(auc=0.97)
    found = levels(material, shortcut_audit=audit, region_audit=regions, robustness=calm)
    assert found["Better than any shortcut"] == found["The centre carries the answer"] == "good"
    assert found["Stands medium damage"] == "good"
    assert levels(material, robustness=calm[:0])["Robustness not measured"] == "caution"


def test_too_few_groups_for_an_interval_are_the_gravest_finding(material):
    none = {"value": 0.9, "low": None, "high": None}
    metrics = {**material["metrics"], "test": {**material["metrics"]["test"], "auc": none}}
    assert levels(material, metrics=metrics)["No interval"] == "bad"
    assert report.say_interval(none) == "no interval"


def test_poor_calibration_is_found_out(material):
    test = {**material["metrics"]["test"], "ece": {"value": 0.2, "low": 0.1, "high": 0.3}}
    found = levels(material, metrics={**material["metrics"], "test": test})
    assert found["Probabilities are not to be taken at their word"] == "caution"


def test_images_of_another_source_are_said_to_be_of_one_source(material):
    own = {**material["run_record"], "data": {**material["run_record"]["data"], "etiologies": ["none", "unknown"]}}
    limits = report.list_limits(own, material["metrics"], material["data_flow"])
    assert any(limit.startswith("All images come from one source") for limit in limits)
