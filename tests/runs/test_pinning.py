import hashlib
import json

import pytest
from kedro.io import DataCatalog

from pneumonia.base.errors import UserError
from pneumonia.runs.pinning import find_companions, load_version, refuse_mixture

OUTPUTS = {
    "ingest": {"split_manifest", "leak_audit"},
    "imbalance": {"class_weights"},
    "training": {"pneumonia_model", "model_lineage", "training_history"},
    "evaluation": {"decision", "metrics"},
}
RECORDS = ("checked_lineage", "leak_audit", "class_weights", "model_lineage", "training_history", "decision", "metrics")


@pytest.fixture
def write(tmp_path):
    """Write a version of a dataset."""

    def write(name, version, content):
        suffix = {"split_manifest": "csv", "pneumonia_model": "keras"}.get(name, "json")
        path = tmp_path / f"{name}.{suffix}" / version / f"{name}.{suffix}"
        path.parent.mkdir(parents=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    return write


@pytest.fixture
def catalog(tmp_path, write):
    """Manifests m1 and m2; model v1 on m1, judged twice; model v2 on m2, judged once, in between."""
    write("split_manifest", "m1", "first")
    write("split_manifest", "m2", "second")
    for version, manifest, content in (("v1", "m1", b"first"), ("v2", "m2", b"second")):
        lineage = {
            "manifest_sha256": hashlib.sha256(content).hexdigest(),
            "weights_sha256": f"weights of {version}",
            "versions": {"split_manifest": manifest, "class_weights": f"w{version[-1]}"},
            **dict.fromkeys(("pixels", "image_size", "resize", "class_names"), "of no matter here"),
        }
        write("model_lineage", version, lineage)
    for version, model in (("e1", "v1"), ("e2", "v2"), ("e3", "v1"), ("e4", "v3")):
        write("decision", version, {"weights_sha256": f"weights of {model}"})
    kinds = dict.fromkeys(RECORDS, ("json", "pneumonia.datasets.RecordDataset"))
    kinds["split_manifest"] = ("csv", "pneumonia.datasets.TableDataset")
    kinds["pneumonia_model"] = ("keras", "pneumonia.datasets.ModelDataset")
    return DataCatalog.from_config(
        {
            name: {"type": kind, "filepath": str(tmp_path / f"{name}.{suffix}"), "versioned": True}
            for name, (suffix, kind) in kinds.items()
        }
    )


def test_results_of_two_models_are_not_read_together(catalog, write):
    for version, model in (("e1", "v1"), ("e3", "v2")):
        write("checked_lineage", version, {"weights_sha256": f"weights of {model}"})
    write("leak_audit", "e1", {})
    write("training_history", "e2", {})  # a part of e1's evaluation, made later
    write("metrics", "e4", {})  # a part of the evaluation of another model
    refuse_mixture({"leak_audit", "training_history", "decision"}, catalog)
    with pytest.raises(UserError, match="newest leak_audit and the newest metrics belong to two models"):
        refuse_mixture({"leak_audit", "metrics"}, catalog)
    refuse_mixture({"model_lineage", "metrics"}, catalog)


def test_all_that_belongs_to_a_model_is_found(catalog):
    assert find_companions(catalog, OUTPUTS, "v1") == {
        "split_manifest": "m1",
        "leak_audit": "m1",
        "class_weights": "w1",
        "pneumonia_model": "v1",
        "model_lineage": "v1",
        "training_history": "v1",
        "decision": "e3",
        "metrics": "e3",
    }
    assert find_companions(catalog, OUTPUTS, "v2")["decision"] == "e2"


def test_a_manifest_of_the_same_content_takes_the_place_of_one_that_is_gone(catalog, tmp_path, write):
    (tmp_path / "split_manifest.csv/m1/split_manifest.csv").unlink()
    with pytest.raises(UserError, match="The split_manifest that the model v1 was trained with is missing"):
        find_companions(catalog, OUTPUTS, "v1")
    write("split_manifest", "m3", "first")
    assert find_companions(catalog, OUTPUTS, "v1")["leak_audit"] == "m3"


def test_a_model_that_was_never_judged_has_no_decision(catalog, tmp_path):
    (tmp_path / "decision.json/e2/decision.json").unlink()
    assert "decision" not in find_companions(catalog, OUTPUTS, "v2")


def test_a_model_without_lineage_is_refused(catalog):
    with pytest.raises(UserError, match="There is no model_lineage of version v3"):
        find_companions(catalog, OUTPUTS, "v3")


@pytest.mark.parametrize("content", ["[]", "{}"])
def test_a_lineage_that_says_nothing_is_refused(catalog, tmp_path, content):
    (tmp_path / "model_lineage.json/v1/model_lineage.json").write_text(content)
    with pytest.raises(UserError, match=r"model_lineage .*: versions, manifest"):
        find_companions(catalog, OUTPUTS, "v1")


def test_a_version_is_loaded_and_the_dataset_left_as_it_was(catalog):
    newest = catalog.load("decision")
    assert load_version(catalog, "decision", "e1") == {"weights_sha256": "weights of v1"}
    assert catalog.load("decision") == newest
