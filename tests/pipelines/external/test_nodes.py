"""The nodes one after the other, on images of which one is the model's own."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumonia.audits.external import (
    audit_external,
    index_external,
    measure_attributes,
    measure_external,
    predict_external,
)
from pneumonia.audits.known_images import describe_origin, list_known, refuse_known
from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.source import ImageSource
from pneumonia.metrics.intervals import plan_test
from pneumonia.pipelines.external.figures import draw_external_calibration, draw_external_roc, draw_external_scores
from pneumonia.report.external import write_external_report


@pytest.fixture(scope="module")
def parameters(default_parameters):
    return Parameters(
        **{**default_parameters, "evaluation": {**default_parameters["evaluation"], "resamples": 200}, "images": "none"}
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory, tiny_images, tiny_manifest):
    """Six new images of each class, of six patients, and a copy of the first training image."""
    folder, rng = tmp_path_factory.mktemp("elsewhere"), np.random.default_rng(1)
    for label in ("NORMAL", "PNEUMONIA"):
        (folder / label).mkdir()
        for number in range(6):
            pixels = rng.integers(60, 160, (40, 40)) + (60 if label == "PNEUMONIA" else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{number:08}_000.png")
    first = tiny_manifest[tiny_manifest["split"] == "train"].iloc[0]
    (folder / first["label"] / "copy.png").write_bytes(tiny_images[first["path"]])
    return ImageSource(str(folder))


@pytest.fixture(scope="module")
def known(tiny_manifest, lineage):
    hashes = pd.DataFrame({"sha256": tiny_manifest["sha256"][:3], "perceptual_hash": "a" * 64})
    return list_known(tiny_manifest, hashes, lineage)


@pytest.fixture(scope="module")
def index(source, known, tmp_path_factory, tiny_stores, lineage, parameters):
    cache = IndexCache(tmp_path_factory.mktemp("cache") / "cache.sqlite")
    files = index_external(source, cache, parameters.ingest, parameters.labels, parameters.external)
    return refuse_known(files, source, known, tiny_stores, lineage, parameters.ingest)


@pytest.fixture(scope="module")
def predictions(source, index, parameters, trained_model):
    return predict_external(source, index, parameters.ingest, parameters.prediction, **trained_model)


@pytest.fixture(scope="module")
def audit(source, index, predictions, parameters, lineage):
    return audit_external(predictions, index, source, lineage, parameters.evaluation)


def test_the_models_images_are_listed_with_their_hash_where_it_is_known(known, tiny_manifest, lineage):
    assert list(known["path"]) == list(tiny_manifest["path"])
    assert list(known["perceptual_hash"]) == ["a" * 64] * 3 + [""] * 37
    with pytest.raises(UserError, match="The model was trained with the manifest"):
        list_known(tiny_manifest[:-1], known, lineage)


def test_a_copy_of_a_training_image_is_taken_out_and_the_others_are_judged(index, predictions, tiny_manifest):
    (copy,) = index[index["status"] != "ok"].to_dict("records")
    first = tiny_manifest[tiny_manifest["split"] == "train"].iloc[0]

    assert (copy["status"], copy["path"]) == ("known", f"{first['label']}/copy.png")
    assert copy["reason"].endswith(first["path"])
    assert list(predictions["path"]) == list(index.loc[index["status"] == "ok", "path"])
    assert predictions["target"].sum() == 6
    assert set(predictions["model_version"]) == {"V"}
    assert predictions["group"].nunique() == 6


def test_each_shortcut_is_set_beside_the_network(audit):
    rows = audit.set_index("predictor")

    assert len(rows) > 5
    assert set(rows["n"]) == {12}
    assert rows.loc["brightness", "auc"] == 1  # these images of PNEUMONIA are brighter


def test_figures_and_page_set_both_places_side_by_side(
    predictions, source, index, audit, parameters, trained_model, known
):
    ours = predictions.assign(split="test")
    external = parameters.external.model_copy(update={"place": "north"})
    origin = describe_origin(index, known, source, external)
    measured = measure_external(predictions, trained_model["decision"], parameters.evaluation, external, origin)
    metrics = {"test": measured["external"]}

    roc = draw_external_roc(predictions, ours, measured, metrics)
    value = measured["external"]["auc"]["value"]
    labels = [text.get_text() for text in roc.axes[0].get_legend().get_texts()]
    assert labels == [f"own test, AUC {value:.3f}", f"“north”, AUC {value:.3f}"]
    above, below = draw_external_scores(predictions, ours, origin).axes
    assert [sum(bar.get_height() for bar in bars) for bars in below.containers] == pytest.approx([1, 1])
    assert (above.get_title(loc="left"), below.get_title(loc="left")) == ("own test", "“north”")
    (axes,) = draw_external_calibration(predictions, ours, origin).axes
    assert [line.get_label() for line in axes.get_lines()[1:]] == ["own test", "“north”"]

    # A place may be called like the model's own test.
    namesake = {**measured, "place": "own test"}
    assert [axes.get_title(loc="left") for axes in draw_external_scores(predictions, ours, namesake).axes] == [
        "own test", "“own test”"
    ]  # fmt: skip
    labels = draw_external_roc(predictions, ours, namesake, metrics).axes[0].get_legend().get_texts()
    assert [text.get_text().split(",")[0] for text in labels] == ["own test", "“own test”"]

    strata, differences = measure_attributes(predictions)
    material = dict(
        external_index=index,
        external_predictions=predictions,
        external_metrics=measured,
        external_subgroups=strata,
        external_differences=differences,
        external_shortcuts=audit,
        external_planning=plan_test(predictions),
        external_point={},
        **dict.fromkeys(("external_roc_figure", "external_score_figure", "external_calibration_figure"), b"png"),
        metrics=metrics,
        predictions=ours,
        **{name: trained_model[name] for name in ("decision", "model_lineage", "run_context")},
    )
    page = write_external_report(parameters.report, **material)

    assert "The frozen model on 12 images of “north”" in page
    assert "12 used, 1 refused: the model&#39;s own images" in page
    for share, is_apart in ((0.0, False), (0.25, True)):
        other = {**measured, "in_range": measured["external"], "out_of_range": share}
        page = write_external_report(parameters.report, **{**material, "external_metrics": other})
        assert ("<th>external, in range</th>" in page) is is_apart
        assert ("No image is out of range." in page) is not is_apart

    point = {
        "place": "north",
        "threshold": 0.4,
        "rule": "sensitivity_floor",
        "rule_value": 0.95,
        "fitted_on": {"n": 12, "n_groups": 6, "n_positive": 6},
    }
    for slope, said, unsaid in (
        (1.1, "a threshold of 0.400 (rule: sensitivity floor, 0.95) and a calibration (logistic)", "Do not use them"),
        (0.0, "Do not use them", "To use them"),
    ):
        again = {**measured, "recalibrated": measured["external"]}
        fitted = {**point, "calibration": {"method": "logistic", "slope": slope}}
        page = write_external_report(
            parameters.report, **{**material, "external_metrics": again, "external_point": fitted}
        )
        assert said in page
        assert unsaid not in page
