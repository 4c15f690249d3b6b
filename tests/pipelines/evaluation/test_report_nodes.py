import json
import re
from pathlib import Path

import pytest
import yaml
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from pneumonia import hooks
from pneumonia.audits.shortcuts import Basis, Sample
from pneumonia.base.sqlite import ScoringLedger
from pneumonia.model.lineage import manifest_digest
from pneumonia.report.documents import write_model_card, write_report
from pneumonia.report.record import RunRecordContract, record_run
from pneumonia.report.render import escape_markdown, render, say_cell
from pneumonia.report.words import say_number, say_percent

NO_LEDGER = ScoringLedger(Path("no such file"))


@pytest.fixture(scope="module")
def card(material):
    return write_model_card(**material, model_summary="a summary")


def test_the_record_names_data_seeds_and_versions(run_record, manifest):
    assert run_record["data"]["manifest_sha256"] == manifest_digest(manifest)
    assert run_record["data"]["n_images"] == len(manifest)
    assert run_record["data"]["classes"] == ["NORMAL", "PNEUMONIA"]
    assert set(run_record["seeds"]) == {"ingest", "training", "evaluation"}
    assert run_record["versions"]["pneumonia_model"] == "2026-01-02T03.04.05.678Z"


def test_the_record_holds_parameters_that_kedro_made_typed(run_record, manifest, default_parameters):
    from pneumonia.base.parameters import Parameters

    typed = dict(Parameters.model_validate(default_parameters))
    again = record_run(
        {"versions": {}},
        typed | {"images": run_record["data"]["images"]},
        manifest,
        run_record["model"],
        NO_LEDGER,
    )
    assert again["parameters"]["evaluation"] == run_record["parameters"]["evaluation"]
    assert again["seeds"] == run_record["seeds"]


@pytest.mark.parametrize("address", ["s3://KEY:SECRET@bucket/set", "https://host/set.zip?X-Amz-Signature=SECRET"])
def test_keys_and_signatures_are_in_no_document(material, pictures, manifest, default_parameters, monkeypatch, address):
    monkeypatch.setattr("sys.argv", ["kedro", "run", f"--params=images={address},study.external={address}"])
    started = hooks._describe_start({"run_id": "x"}, Pipeline([]), DataCatalog())
    given = {
        **default_parameters,
        "images": address,
        "labels": {**default_parameters["labels"], "table": address},
        "study": {**default_parameters["study"], "external": address},
        "engine": {**default_parameters["engine"], "address": address},
    }
    before = material["run_record"]
    record = record_run({**before, **started}, given, manifest, before["model"], NO_LEDGER)
    changed = {**material, "run_record": record}

    documents = (json.dumps(record), write_report(**changed, **pictures), write_model_card(**changed, model_summary=""))
    for text in documents:
        assert "SECRET" not in text
        assert "***" in text


def test_a_record_that_is_made_alone_names_the_model_by_the_run_that_trained_it(
    run_record, manifest, default_parameters
):
    again = record_run({"versions": {}}, default_parameters, manifest, run_record["model"], NO_LEDGER)
    assert again["versions"] == {"pneumonia_model": "2026-01-02T03.04.05.678Z"}
    assert RunRecordContract().validate(again) is again


def test_the_hash_of_the_images_does_not_depend_on_the_split(run_record, manifest, default_parameters):
    turned = manifest.assign(split=manifest["split"].to_numpy()[::-1]).iloc[::-1]
    again = record_run({"versions": {}}, default_parameters, turned, run_record["model"], NO_LEDGER)
    assert again["data"]["images_sha256"] == run_record["data"]["images_sha256"]
    assert again["data"]["manifest_sha256"] != run_record["data"]["manifest_sha256"]


def test_the_report_needs_nothing_beside_itself(report):
    assert len(report.encode()) < 10_000_000
    assert "<script" not in report
    for address in re.findall(r'(?:src|href)="([^"]*)"', report):
        assert address.startswith(("data:", "#")), address[:60]
    assert "url(" not in report


def test_the_report_names_versions_command_and_limits(report, run_record, metrics):
    for version in run_record["versions"].values():
        assert version in report
    for text in (
        run_record["command"],
        run_record["commit"],
        run_record["data"]["manifest_sha256"],
        "not a medical device",
        "CC BY 4.0",
        say_number(metrics["test"]["auc"]["value"]),
    ):
        assert text in report


def test_the_report_escapes_what_it_is_given(material, pictures):
    hostile = {**material, "run_record": {**material["run_record"], "command": "<script>alert(1)</script>"}}
    assert "<script>" not in write_report(**hostile, **pictures)


def test_the_card_escapes_what_it_is_given(material, restate):
    hostile = restate(material["run_record"], population="<b>Adults</b> | *all*") | {"command": "kedro `run`"}
    card = write_model_card(**{**material, "run_record": hostile}, model_summary="a summary")

    assert r"\<b\>Adults\</b\> \| \*all\*" in card
    assert "<b>" not in card
    assert "Created by `` kedro `run` `` at commit" in card


def test_a_text_stands_in_markdown_as_it_is():
    assert escape_markdown("a_b _c_ [d](e) & `f`\ng") == r"a_b \_c\_ \[d\](e) \& \`f\` g"
    assert escape_markdown(0.5) == 0.5


def test_a_report_without_its_material_is_no_report(material, pictures):
    without = {name: value for name, value in material.items() if name != "leak_audit"}
    with pytest.raises(KeyError, match="leak_audit"):
        write_report(**without, **pictures)


def test_synthetic_images_are_called_synthetic_and_not_attributed(material, pictures, restate):
    page = write_report(**{**material, "run_record": restate(material["run_record"], source="synthetic")}, **pictures)
    assert "synthetic images" in page
    assert "CC BY 4.0" not in page


def test_the_report_counts_blank_images_among_all_files(report):
    assert re.search(r"<td>blank</td><td>[^<]*</td><td[^>]*>3</td><td>of one grey level</td>", report)


def test_a_report_without_robustness_says_how_to_get_it(material, pictures):
    page = write_report(**{**material, "robustness": material["robustness"][:0]}, **pictures)
    assert "--params=evaluation.robustness=true" in page
    assert "corrupted in" not in page


def test_the_corrupted_images_of_the_report_are_those_of_test_and_each_auc_has_its_interval(report, robustness):
    section = re.search(r'<section id="robustness">.*?</section>', report, re.DOTALL).group()
    rows = re.findall(r"<tr><td>(.*?)</td></tr>", section)

    assert re.search(r"The network on \d+ of the \d+ test images, as they are and corrupted in", section)
    assert "validation" not in section
    assert re.findall(r"<th>(.*?)</th>", section)[2:5] == ["auc", "low", "high"]
    assert len(rows) == len(robustness) == 28
    for row, (low, high) in zip(rows, robustness[["low", "high"]].itertuples(index=False), strict=True):
        assert re.split(r"</td><td[^>]*>", row)[3:5] == [say_cell(low), say_cell(high)]


def test_the_report_names_the_stretch_that_stands_out_or_says_that_names_give_no_order(report, material, pictures):
    row = material["stretch_audit"].query("measure == 'errors'").sort_values("p").iloc[0]
    without = {name: material[name][:0] for name in ("ordered_predictions", "stretch_audit")}
    page = write_report(**{**material, **without}, **pictures)

    assert f"the one from {row['first']} to {row['last']} ({row['label']}, {row['images']} images" in report
    assert "The names of the images give no order" not in report
    assert "no order: fewer than 20 groups" in page
    assert "stands out most:" not in page


def test_a_stretch_that_was_not_found_is_not_said_to_be_drawn(report, material, pictures):
    audit = material["stretch_audit"]
    cases = (
        (audit[:0], "No stretches were compared: in test, no class has 20 groups with names of one form and"),
        (audit[audit["measure"] == "scores"], "No stretch has more errors than another: where test has 20 groups"),
    )
    assert "Grey: the stretch" in report
    for rows, said in cases:
        page = write_report(**{**material, "stretch_audit": rows}, **pictures)
        assert said in page
        assert "Grey: the stretch" not in page
    assert not any(said in report for _, said in cases)


def test_the_report_says_which_shortcuts_were_not_tried(report, material, pictures):
    assert "No network was trained on the rim" not in report
    assert "Nothing was cross-validated" not in report
    audit = material["shortcut_audit"]
    left = audit[(audit["predictor"] != Basis.RIM_NETWORK) & (audit["images"] != Sample.CROSS_VALIDATED)]
    page = write_report(**{**material, "shortcut_audit": left}, **pictures)
    assert "<code>evaluation.rim_network</code> is off" in page
    assert "Nothing was cross-validated" in page
    assert "fewer than 5 groups" in page


def test_no_document_claims_more_than_the_shortcuts_that_were_tried(report, card):
    for text in (report, card):
        assert "any shortcut" not in text


def test_the_front_matter_of_the_card_is_what_hugging_face_reads(card, metrics):
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "other"  # of weights trained on images of others no program can say it
    results = front["model-index"][0]["results"][0]["metrics"]
    assert results[0] == {
        "type": "roc_auc",
        "name": "AUC (area under the ROC curve)",
        "value": pytest.approx(metrics["test"]["auc"]["value"], abs=5e-5),
    }


def test_the_card_leaves_to_a_person_what_software_cannot_know(card):
    assert card.count("**To be written by a person:**") == 4
    for item in ("ethics", "demographics", "funding", "consequences"):
        assert item in card


def test_the_card_answers_each_item_that_software_can_fill(card):
    for heading in (
        "Data [CLAIM 7-13",
        "Model [CLAIM 22-24]",
        "Training [CLAIM 25-27]",
        "Performance [CLAIM 28",
        "Limits [CLAIM 40]",
    ):
        assert f"## {heading}" in card
    assert "No figure in this card comes from an external test [CLAIM 33]" in card


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234, "1,234"), (0.12345, "0.123"), (None, "–"), (float("nan"), "–"), (12.0, "12"), (True, "yes"), ("a", "a")],
)
def test_cells_of_tables_are_put_for_people(value, text):
    assert say_cell(value) == text


def test_templates_are_strict_about_names():
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError, match="undefined"):
        render("model_card.md")


def test_scorings_are_counted_by_image_in_all_runs(run_record, manifest, default_parameters, tmp_path):
    ledger, test = ScoringLedger(tmp_path / "scorings.sqlite"), manifest.loc[manifest["split"] == "test", "sha256"]
    ledger.note("a", test)
    ledger.note("b", test.iloc[1:])  # one image fewer
    ledger.note("c", [*test.iloc[:1], "of another image"])
    ledger.note("d", test.iloc[:1])
    again = record_run({"versions": {}}, default_parameters, manifest, run_record["model"], ledger)
    assert run_record["data"]["test_scorings"] == {"most": 1, "median": 1}
    assert again["data"]["test_scorings"] == {"most": 3, "median": 2}


def test_no_document_says_more_of_the_groups_than_the_audit(material, pictures, restate):
    leaks = material["leak_audit"].assign(on_both_sides=4)
    parameters = material["run_record"]["parameters"]
    by_image = {**parameters, "ingest": {**parameters["ingest"], "group_by": "image"}}
    run = {**material["run_record"], "parameters": by_image}
    leaky = {**material, "leak_audit": leaks, "run_record": run}
    for text in (write_report(**leaky, **pictures), write_model_card(**leaky, model_summary="a summary")):
        assert "are shared by two splits" in text
        assert "image by image" in text
        for claim in (
            "never on both sides",
            "no group and no identical file",
            "No known group and no file",
            "by group,",
        ):
            assert claim not in text


def test_nothing_is_said_of_children_where_nobody_spoke_of_them(material, pictures, restate):
    predictions_paths = {"path": "adult.png", "etiology": "unknown"}
    own = restate(material["run_record"], source="unknown", population="unknown")
    data = {**own["data"], "etiologies": ["none", "unknown"], "images": "scans"}
    gallery = [{**record, **predictions_paths} for record in material["gallery_maps"]]
    run = {**own, "data": data}
    stated = {**material, "run_record": run, "gallery_maps": gallery}
    page = write_report(**stated, **pictures).split("</style>")[1]
    for text in (page, write_model_card(**stated, model_summary="a summary")):
        for word in ("child", "pediatric", "beyond the paper", "Kermany D", "etiology is read", "hospital (children"):
            assert word not in text
        assert "report.population was not set" in text


def test_the_card_states_the_population(card):
    assert "children of 1 to 5 years" in card
    assert "- pediatrics" in card


def test_figures_of_groups_and_of_the_whole_folder_stand_beside_those_of_images(report, card, material):
    folder = material["unit_metrics"]["folder"]
    assert folder["n"] == material["metrics"]["test"]["n"] + 12
    assert f"whole test folder, n = {folder['n']}" in report
    assert f"On the whole test folder, {folder['n']} images including surplus copies" in card
    rows = material["unit_metrics"]["group"]["n"]
    assert f"averaged, n = {rows})" in card


def test_the_bootstrap_over_groups_is_named_with_its_source(report, card):
    for text in (report, card):
        assert "Obuchowski, Biometrics 53, 1997" in text
        assert "Field and Welsh" in text


def test_the_gallery_asks_for_a_second_reading_of_labels(report):
    assert "read these images a second time before blaming the network" in report


def test_predictive_values_and_counts_of_1000_stand_in_both_documents(report, card, material):
    row = material["predictive_values"].set_index("prevalence").loc[0.1]
    assert f'<td class="number strong">{say_number(row["ppv"])}</td>' in report
    assert f"| 10% | {say_number(row['ppv'])} ({say_number(row['ppv_low'])} to {say_number(row['ppv_high'])}) |" in card
    assert "With the sensitivity and specificity of test" in report
    assert "Likelihood ratio of a positive call" in report


def test_a_threshold_that_was_set_beforehand_is_not_said_to_be_fitted(report, material, pictures):
    assert "threshold was set beforehand" in report
    youden = {**material["decision"], "rule": "youden", "rule_value": None}
    page = write_report(**{**material, "decision": youden}, **pictures)
    assert "hreshold was fitted only on the" in page
    assert "set beforehand" not in page


def test_the_gallery_shows_the_probability_that_decided(report, material):
    for record in material["gallery_maps"]:
        assert f"<strong>{say_percent(record['probability'])}</strong> PNEUMONIA" in report
