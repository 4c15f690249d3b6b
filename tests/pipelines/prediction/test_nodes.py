import pytest

from pneumonia.base.parameters import IngestParameters, PredictionParameters, ReportParameters
from pneumonia.base.sqlite import ScoringLedger
from pneumonia.images.source import ImageSource
from pneumonia.predictor.predictor import PREDICTION_COLUMNS, predict_images
from pneumonia.report.predictions import draw_new_maps, write_prediction_report


@pytest.fixture(scope="module")
def prediction(default_parameters):
    return PredictionParameters(**{**default_parameters["prediction"], "shown_images": 3})


@pytest.fixture(scope="module")
def source(tmp_path_factory, tiny_images):
    """Eight of the tiny images, and a file that holds no image."""
    folder = tmp_path_factory.mktemp("new")
    for number, content in enumerate(list(tiny_images.values())[:8]):
        (folder / f"{number}.png").write_bytes(content)
    (folder / "empty.png").write_bytes(b"")
    return ImageSource(str(folder))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return ScoringLedger(tmp_path_factory.mktemp("ledger") / "scorings.sqlite")


@pytest.fixture(scope="module")
def predictions(source, ledger, default_parameters, prediction, trained_model):
    ingest = IngestParameters(**default_parameters["ingest"])
    return predict_images(source, ingest, prediction, ledger, **trained_model)


@pytest.fixture(scope="module")
def maps(source, predictions, prediction, trained_model):
    return draw_new_maps(
        source, trained_model["pneumonia_model"], trained_model["model_lineage"], predictions, prediction
    )


def test_every_file_has_a_row_and_what_is_no_image_its_reason(predictions):
    assert tuple(predictions.columns) == PREDICTION_COLUMNS
    assert list(predictions["path"]) == [*(f"{number}.png" for number in range(8)), "empty.png"]
    assert list(predictions["in_range"]) == ["yes"] * 8 + [""]
    assert predictions["reason"].iloc[-1] == "empty file"
    assert set(predictions["model_version"]) == {"V"}


def test_images_are_noted_before_they_are_scored(source, ledger, predictions, default_parameters, trained_model):
    assert ledger.count(predictions["sha256"]).tolist() == [1] * 8 + [0]

    class Stopped(ScoringLedger):
        def note(self, run, sha256s):
            super().note("stopped", sha256s)
            raise RuntimeError("stopped")

    ingest, prediction = IngestParameters(**default_parameters["ingest"]), default_parameters["prediction"]
    with pytest.raises(RuntimeError, match="stopped"):
        predict_images(source, ingest, PredictionParameters(**prediction), Stopped(ledger.path), **trained_model)
    assert ledger.count(predictions["sha256"][:1]).tolist() == [2]


def test_the_most_suspicious_images_are_drawn_with_their_maps(predictions, maps):
    most = predictions.sort_values("probability", ascending=False)["path"].head(3)

    assert [record["path"] for record in maps] == list(most)
    assert all(record[name].startswith("data:image/webp") for record in maps for name in ("image", "overlay"))


def test_the_page_has_every_file_in_its_table(predictions, maps, trained_model):
    decision, own = {**trained_model["decision"], "rule": "fixed"}, {"checked": True, "by_split": {"train": 1}}
    report = ReportParameters(population="unknown", source="synthetic")
    page = write_prediction_report(
        predictions,
        trained_model["model_lineage"],
        decision,
        own,
        report,
        maps=maps,
        run_context=trained_model["run_context"],
    )

    assert all(page.count(path) for path in predictions["path"])
    assert page.count(maps[0]["overlay"]) == 1
