"""Sentences of the report and the card that are true of only some runs, and appear only for those."""

import re

import numpy as np
import pandas as pd
import pytest

from pneumonia.report.documents import write_model_card, write_report
from pneumonia.report.limits import say_optimism
from pneumonia.report.render import make_environment
from pneumonia.split.leak_audit import Unit
from pneumonia.split.summary import FlowStep


@pytest.fixture
def documents_of(material, pictures):
    """Write the report and the card of a run with other material; return each without its pictures and style."""

    def write(**changes):
        changed = {**material, **changes}
        page = write_report(**changed, **pictures).split("</style>")[1]
        return page, write_model_card(**changed, model_summary="a summary")

    return write


@pytest.fixture
def run_with(run_record):
    """Return the record of a run with other parameters of its evaluation, and with several members."""

    def change(members=1, validation_freq=1, **evaluation):
        parameters = run_record["parameters"]
        training = {"members": members, "validation_freq": validation_freq}
        training = {**run_record["model"]["training"], "epochs": 12, **training}
        return {
            **run_record,
            "parameters": {**parameters, "evaluation": {**parameters["evaluation"], **evaluation}},
            "model": {**run_record["model"], "training": training},
        }

    return change


OPTIMISM = [
    ({}, "the epoch and the calibration were chosen"),
    ({"threshold_rule": "youden"}, "the epoch, the calibration and the threshold were chosen"),
    ({"calibration": "none"}, "the epoch was chosen"),
    ({"members": 3}, "the calibration was chosen"),
    ({"validation_freq": 12}, "the calibration was chosen"),
]


@pytest.mark.parametrize(("changes", "said"), OPTIMISM)
def test_what_was_chosen_on_validation_is_named_and_nothing_else(run_with, changes, said):
    run = run_with(**{"threshold_rule": "fixed", "calibration": "logistic", **changes})

    assert say_optimism(run) == f"Validation figures are optimistic: {said} on those images."


def test_the_epoch_of_an_adapted_models_parent_is_named_though_its_adaptation_validates_one_epoch(run_with):
    run = run_with(calibration="none", threshold_rule="fixed", validation_freq=12)
    adapted = {**run, "model": {**run["model"], "adaptation": {"place": "north"}}}
    assert say_optimism(adapted) == (
        "Validation figures are optimistic: the epoch of the training before the adaptation was chosen on those images."
    )


def test_where_nothing_was_chosen_on_validation_its_figures_are_not_called_optimistic(run_with):
    run = run_with(members=3, calibration="none", threshold_rule="fixed")

    assert "optimistic" not in say_optimism(run)


def test_both_documents_say_the_same_of_what_was_chosen(documents_of, run_record):
    page, card = documents_of()
    assert page.count(say_optimism(run_record)) == 2  # among the limits, under the metrics
    assert card.count(say_optimism(run_record)) == 2
    for text in (page, card):
        assert "Validation chose the epoch" not in text
        assert "possibly the threshold" not in text


@pytest.mark.parametrize(
    ("rule", "said"), [("fixed", "rule `fixed`, set beforehand."), ("youden", "rule `youden`, fitted on validation.")]
)
def test_the_card_says_where_the_threshold_comes_from(documents_of, material, rule, said):
    assert said in documents_of(decision={**material["decision"], "rule": rule})[1]


@pytest.mark.parametrize(
    ("method", "rule", "said"),
    [
        ("logistic", "youden", "Both were fitted only on the"),
        ("none", "youden", "none was calibrated. The threshold was fitted only on the"),
        ("none", "fixed", "none was calibrated. The threshold was set beforehand."),
    ],
)
def test_a_calibration_that_was_not_fitted_is_not_said_to_be(documents_of, material, method, rule, said):
    calibration = {**material["decision"]["calibration"], "method": method}
    page, _ = documents_of(decision={**material["decision"], "calibration": calibration, "rule": rule})

    assert said in page
    assert ("Every probability in this report is calibrated" in page) is (method != "none")


def test_probabilities_that_were_not_calibrated_are_not_called_calibrated(documents_of, material):
    texts = ("in this report is calibrated", "A calibrated probability changes with the share")
    pages = {
        method: documents_of(decision={**decision, "calibration": {**decision["calibration"], "method": method}})
        for decision in [material["decision"]]
        for method in ("logistic", "none")
    }
    for text in texts:
        assert text in pages["logistic"][0]
        assert text not in pages["none"][0]
    for method, (_, card) in pages.items():
        assert f"Calibration [TRIPOD+AI]: `{method}`; Brier score" in card


def test_images_that_were_split_one_by_one_are_not_said_to_be_counted_in_groups(documents_of, run_record):
    parameters = run_record["parameters"]
    ingest = {**parameters["ingest"], "group_by": "image"}
    by_image = {**run_record, "parameters": {**parameters, "ingest": ingest}}
    page, card = documents_of(run_record=by_image)

    assert "They were split image by image" in page
    assert f"- Images used: {run_record['data']['n_images']:,}, each counted on its own." in card
    for text in (page, card):
        assert "95% intervals count each image as a group of its own" in text
        assert "If patients have several images, every interval here is too narrow" in text
        assert not re.search("intervals? over groups|at most one per|images, [\\d,]+ groups|[Pp]er group", text)
    for text in documents_of():
        assert "95% intervals count groups, not images" in text
        assert re.search("[Pp]er group", text)


def test_where_only_the_last_epoch_is_validated_none_is_said_to_be_chosen(documents_of, run_with):
    page, card = documents_of(run_record=run_with(validation_freq=12))
    assert "Only the last epoch was validated." in page
    assert "to keep was chosen" not in page + card


def test_the_epoch_of_several_members_is_not_said_to_be_chosen_on_validation(documents_of, run_with):
    assert "chosen on validation." in documents_of()[0]
    page, _ = documents_of(run_record=run_with(members=3))
    assert "Val is each member&#39;s own fold of train, on which its epoch to keep was chosen." in page
    assert "chosen on validation." not in page


def test_numbers_in_file_names_are_not_spoken_of_where_the_names_have_none(documents_of, material, run_record):
    leaks = material["leak_audit"]
    leaks = pd.concat([leaks, leaks[leaks["unit"] == Unit.GROUP].assign(unit=Unit.NUMBER)], ignore_index=True)
    assert "A number in a file name may stand for several patients." in documents_of(leak_audit=leaks)[0]
    own = {**run_record, "data": {**run_record["data"], "etiologies": ["none", "unknown"]}}
    page, _ = documents_of(run_record=own, leak_audit=leaks)
    assert "numbers in file names" not in page
    assert "A number in a file name" not in page
    assert "shared groups" in page


def test_images_outside_of_split_folders_are_not_found_in_none(documents_of, material):
    found = {"step": FlowStep.FOUND_IN, "part": "none", "images": 9, "note": ""}
    flow = pd.concat([material["data_flow"], pd.DataFrame([found])], ignore_index=True)
    page, _ = documents_of(data_flow=flow)

    assert "no folder named train, val or test" in page
    assert "<td>found in</td><td>none</td>" not in page


def test_the_fates_of_the_files_add_up_where_a_table_of_labels_leaves_some_out(documents_of, material):
    assert "left out by the table of labels</div>" not in documents_of()[0]
    left_out = {"step": FlowStep.UNLABELLED, "part": "", "images": 7, "note": ""}
    flow = pd.concat([material["data_flow"], pd.DataFrame([left_out])], ignore_index=True)
    assert "<b>7</b> left out by the table of labels</div>" in documents_of(data_flow=flow)[0]


def test_a_call_that_was_never_wrong_multiplies_the_odds_by_no_number(documents_of, material):
    none, at_least = {"value": None, "low": None, "high": None}, {"value": None, "low": 4.0, "high": None}
    said = (
        "multiplies the odds of PNEUMONIA by a factor that cannot be computed, because no NORMAL test image was called"
    )
    for positive, negative, sentences in (
        (none, at_least, (f"A positive call {said} PNEUMONIA.", f"{said} NORMAL (95% interval at least 4.000).")),
        (at_least, none, (f"{said} PNEUMONIA (95% interval at least 4.00).", f"A negative call {said} NORMAL.")),
    ):
        test = {**material["metrics"]["test"], "likelihood_ratio_positive": positive}
        test["likelihood_ratio_negative"] = negative
        page, _ = documents_of(metrics={**material["metrics"], "test": test})
        for sentence in sentences:
            assert sentence in page


def test_the_classes_of_several_sites_are_not_listed_as_if_they_were_more_classes(documents_of, material):
    counts = material["class_counts"]
    halves = [counts.assign(site=site, images=counts["images"] // part) for site, part in (("a", 2), ("b", 4))]
    page, card = documents_of(class_counts=pd.concat(halves).sort_values(["split", "target"], ignore_index=True))
    (train,) = [rows for split, rows in counts.groupby("split") if split == "train"]
    normal, pneumonia = (n // 2 + n // 4 for n in train["images"])
    assert f"NORMAL {normal} · PNEUMONIA {pneumonia}</div>" in page
    assert f"| train | a: NORMAL | {train['images'].iloc[0] // 2} |" in card


def test_where_no_image_is_decided_none_is_called_wrong(documents_of, material):
    sets = material["class_sets"]
    for decided, errors, said in (
        (0, 0, "test images is decided.</p>"),
        (1, 0, "test images is decided, of which none is wrong."),
        (9, 2, "test images are decided, of which 2 are wrong."),
    ):
        changed = sets.assign(n_decided=decided, errors=errors)
        page, _ = documents_of(class_sets=changed)
        assert said in page
        assert ("Diamond: " in page) is (decided > 0)


def test_a_large_likelihood_ratio_has_no_more_digits_than_it_tells(documents_of, material):
    ratio = {"value": 59.0, "low": 11.429, "high": 1953.404}
    test = {**material["metrics"]["test"], "likelihood_ratio_positive": ratio}
    page, card = documents_of(metrics={**material["metrics"], "test": test})
    assert "A positive call multiplies the odds of PNEUMONIA by 59.00 (95% interval 11.43 to 1,953)." in page
    assert "| Likelihood ratio of a positive call | 59.00 (11.43 to 1,953) |" in card


def test_scores_of_the_probabilities_stand_with_their_intervals(documents_of, material):
    brier = {"value": 0.048, "low": 0.017, "high": 0.105}
    test = {**material["metrics"]["test"], "brier": brier}
    for text in documents_of(metrics={**material["metrics"], "test": test}):
        assert "Brier score 0.048 (0.017 to 0.105), binned mean gap (ECE) " in text


def test_what_somebody_set_is_not_rounded(documents_of, material):
    test = {**material["metrics"]["test"], "prevalence": 0.025}
    decision = {**material["decision"], "threshold": 0.0004}
    page, card = documents_of(metrics={**material["metrics"], "test": test}, decision=decision)
    for text in (page, card):
        assert "The assumed prevalence is 2.5%" in text
    assert "if its probability is at least <strong>0.0004</strong>" in page
    assert "Threshold 0.0004 on the reported probability" in card


def test_a_threshold_that_no_image_can_reach_is_called_that(documents_of, material):
    page, card = documents_of(decision={**material["decision"], "threshold": np.nextafter(1, 2)})
    assert "No image is called PNEUMONIA (rule:" in page
    assert "Threshold more than 1 on the reported probability" in card


def test_no_document_says_that_the_data_have_no_sex_and_age(documents_of):
    for text in documents_of():
        assert "not among the data" not in text
        assert "Sex and age were not examined" in text


def test_a_question_ends_in_its_own_mark_and_an_empty_list_says_what_it_is_of():
    finding_list = make_environment("parts.html").get_template("parts.html").module.finding_list
    listed = finding_list([{"level": "bad", "title": title, "text": ""} for title in ("Swapped?", "Worse")])

    assert "<strong>Swapped?</strong>" in listed
    assert "<strong>Worse.</strong>" in listed
    assert "Nothing found by these checks." in finding_list([])


def test_shortcuts_that_see_the_whole_image_are_not_said_to_see_no_lungs(documents_of):
    for text in documents_of():
        assert "see no lungs" not in text
        assert "Without looking at the lungs" not in text


def test_both_documents_say_that_a_model_was_adapted_and_the_card_where_its_weights_come_from(documents_of, run_record):
    adaptation = {"n": 1484, "n_groups": 330, "place": "north", "parent": "2026-01-01"}
    changed = {"adaptation": adaptation, "model": {**run_record["model"]["model"], "weights": "earlier/model.keras"}}
    page, card = documents_of(run_record={**run_record, "model": {**run_record["model"], **changed}})
    for text in (page, card):
        assert "1,484 images of 330 groups of north" in text
        assert "of which the last was kept" in text
        assert "the epoch of the training before the adaptation" in text
        assert "chosen on validation." not in text
        assert not re.search(r"epochs?, of which number|; \d+ epochs", text)
    assert "`earlier/model.keras`" in card
    assert "the last layer at random" not in card
    assert "Then adapted" not in documents_of()[0]


def test_it_is_said_of_how_many_test_images_the_robustness_is(documents_of, material):
    n = material["metrics"]["test"]["n"]
    page, _ = documents_of(robustness=material["robustness"].assign(n=40))
    assert f"<p>The network on 40 of the {n} test images, as they are and corrupted in" in page


def test_shares_have_their_intervals_as_shares_or_none(documents_of, material):
    confusion = material["etiology_confusion"].assign(value=0.9423, low=0.7164, high=0.9996)
    page, _ = documents_of(etiology_confusion=confusion, class_sets=material["class_sets"].assign(low=None, high=None))
    assert '94.2% <span class="faint">(71.6% to 99.96%)</span>' in page
    assert "– to –" not in page


def test_one_image_is_positive_and_not_are(documents_of, material):
    test = {**material["metrics"]["test"], "n_positive": 1}
    page, _ = documents_of(metrics={**material["metrics"], "test": test})
    assert "test images is positive (" in page


def test_telling_one_site_is_telling_the_other_only_where_there_are_two(documents_of, material):
    sites = pd.DataFrame({"site": ["a", "b", "all sites"], "predictor": ["network", "network", "site"]})
    sites = sites.assign(measure="auc", value=0.8, low=0.7, high=0.9, n=9, n_positive=4, n_groups=9)
    probe = {"site": "a", "label": "NORMAL", "seen": "features", "auc": 0.9, "low": 0.8, "high": 0.95}
    probe = pd.DataFrame([{**probe, "n": 9, "n_positive": 4, "n_groups": 9}])
    counts = material["class_counts"]
    for names, is_said in ((("a", "b"), True), (("a", "b", "c"), False)):
        of_sites = pd.concat([counts.assign(site=name) for name in names], ignore_index=True)
        page, _ = documents_of(site_audit=sites, site_probe_audit=probe, class_counts=of_sites)
        assert ("Of two sites, telling one is telling the other." in page) is is_said


def test_the_seed_of_an_adaptation_is_not_said_to_be_that_of_the_first_weights(documents_of, run_record):
    adaptation = {"n": 1484, "n_groups": 330, "place": "north", "parent": "2026-01-01"}
    adapted = {**run_record, "model": {**run_record["model"], "adaptation": adaptation}}
    assert "initialised at random with seed 0, not pretrained." in documents_of()[1]
    assert "initialised at random, not pretrained." in documents_of(run_record=adapted)[1]


def test_that_not_all_validation_images_are_reframed_is_said_only_where_it_is_so(documents_of, material):
    n, audit = material["metrics"]["val"]["n"], material["framing_audit"]
    for fewest, is_said in ((n, False), (n - 1, True)):
        page, _ = documents_of(framing_audit=audit.assign(n=[n] + [fewest] * (len(audit) - 1)))
        assert ("The first row of the table is of all validation images." in page) is is_said


def test_where_the_network_is_equally_sure_of_all_images_none_is_surest(documents_of, material):
    page, _ = documents_of(risk_coverage=material["risk_coverage"][:1])
    assert "are wrong; the network is equally sure of all.</p>" in page
    assert "of the surest" in documents_of()[0]


def test_no_bar_is_spoken_of_where_there_is_no_interval(documents_of, material):
    test = {**material["metrics"]["test"]}
    names = ("auc", "accuracy", "sensitivity", "specificity")
    test |= {name: {**test[name], "low": None, "high": None} for name in names}
    page, _ = documents_of(metrics={**material["metrics"], "test": test})
    for said in ("Bars show the 95% interval.", "Band: pointwise 95%."):
        assert said not in page
        assert said in documents_of()[0]


@pytest.mark.parametrize(("groups", "is_estimate"), [(98, True), (99, False)])
def test_a_range_set_on_few_groups_is_called_an_estimate(documents_of, material, groups, is_estimate):
    metrics = material["metrics"]
    page, _ = documents_of(metrics={**metrics, "val": {**metrics["val"], "n_groups": groups}})
    assert ("With fewer than 99 groups in validation, as here, that share is an estimate" in page) is is_estimate


def test_an_adapted_model_of_several_members_is_said_to_average_them(documents_of, run_with):
    adaptation = {"n": 484, "n_groups": 330, "place": "north", "parent": "2026-01-01"}
    for members, is_said in ((1, False), (3, True)):
        run = run_with(members=members)
        adapted = {**run, "model": {**run["model"], "adaptation": adaptation}}
        page, card = documents_of(run_record=adapted)
        assert ("the probabilities of 3 members averaged" in page) is is_said
        assert ("The probabilities of its 3 members are averaged." in card) is is_said
        assert "own fold of train" not in page
