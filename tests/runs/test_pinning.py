import hashlib
import json
import re

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from pneumonia.base.errors import UserError
from pneumonia.runs import pinning
from pneumonia.runs.pinning import find_companions, load_version, pin_companions, refuse_mixture

E1, E2, E3, E4 = (f"2026-01-0{n}T00.00.00.000Z" for n in range(1, 5))
M1, M2, M3 = (f"2026-02-0{n}T00.00.00.000Z" for n in range(1, 4))
V1, V2, V3 = (f"2026-03-0{n}T00.00.00.000Z" for n in range(1, 4))
W1 = V1.replace("-03-", "-04-")

OUTPUTS = {
    "ingest": {"split_manifest", "leak_audit"},
    "imbalance": {"class_weights"},
    "training": {"pneumonia_model", "model_lineage", "training_history"},
    "evaluation": {"decision", "metrics"},
}
# What these tests do not read of a lineage.
REST = {"pixels": "", "image_size": 0, "resize": "", "class_names": []}
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
    """Manifests M1 and M2; model V1 on M1, judged twice; model V2 on M2, judged once, in between."""
    write("split_manifest", M1, "first")
    write("split_manifest", M2, "second")
    for version, manifest, content in ((V1, M1, b"first"), (V2, M2, b"second")):
        lineage = {
            "manifest_sha256": hashlib.sha256(content).hexdigest(),
            "weights_sha256": f"weights of {version}",
            "versions": {"split_manifest": manifest, "class_weights": version.replace("-03-", "-04-")},
            **REST,
        }
        write("model_lineage", version, lineage)
    for version, model in ((E1, V1), (E2, V2), (E3, V1), (E4, V3)):
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
    for version, model in ((E1, V1), (E3, V2)):
        rest = {"manifest_sha256": "", "versions": {}, **REST}
        write("checked_lineage", version, {"weights_sha256": f"weights of {model}", **rest})
    write("leak_audit", E1, {})
    write("training_history", E2, {})  # a part of E1's evaluation, made later
    write("metrics", E4, {})  # a part of the evaluation of another model
    refuse_mixture({"leak_audit", "training_history", "decision"}, catalog)
    with pytest.raises(UserError, match="newest leak_audit and the newest metrics belong to two models"):
        refuse_mixture({"leak_audit", "metrics"}, catalog)
    refuse_mixture({"model_lineage", "metrics"}, catalog)


def test_all_that_belongs_to_a_model_is_found(catalog):
    assert find_companions(catalog, OUTPUTS, V1) == {
        "split_manifest": M1,
        "leak_audit": M1,
        "class_weights": W1,
        "pneumonia_model": V1,
        "model_lineage": V1,
        "training_history": V1,
        "decision": E3,
        "metrics": E3,
    }
    assert find_companions(catalog, OUTPUTS, V2)["decision"] == E2


def test_a_manifest_of_the_same_content_takes_the_place_of_one_that_is_gone(catalog, tmp_path, write):
    (tmp_path / f"split_manifest.csv/{M1}/split_manifest.csv").unlink()
    with pytest.raises(UserError, match=f"The split_manifest that the model {V1} was trained with is missing"):
        find_companions(catalog, OUTPUTS, V1)
    write("split_manifest", M3, "first")
    assert find_companions(catalog, OUTPUTS, V1)["leak_audit"] == M3


def test_a_model_that_was_never_judged_has_no_decision(catalog, tmp_path):
    (tmp_path / f"decision.json/{E2}/decision.json").unlink()
    assert "decision" not in find_companions(catalog, OUTPUTS, V2)


def test_a_model_without_lineage_is_refused(catalog):
    with pytest.raises(UserError, match=f"There is no model_lineage of version {V3}"):
        find_companions(catalog, OUTPUTS, V3)


@pytest.mark.parametrize("content", ["[]", "{}"])
def test_a_lineage_that_says_nothing_is_refused(catalog, tmp_path, content):
    (tmp_path / f"model_lineage.json/{V1}/model_lineage.json").write_text(content)
    with pytest.raises(UserError, match=r"model_lineage (.*\(versions: Field required; manifest|is no record)"):
        find_companions(catalog, OUTPUTS, V1)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("metrics", f"again: kedro run --pipelines=evaluation --load-versions=pneumonia_model:{V1}."),
        ("leak_audit", f"name it with --load-versions=pneumonia_model:{V1},leak_audit:VERSION."),
    ],
)
def test_what_a_named_model_lacks_is_named_with_what_leads_on(catalog, monkeypatch, name, advice):
    monkeypatch.setattr(pinning, "outputs_by_stage", lambda: OUTPUTS)
    reader = Pipeline([Node(lambda read: read, name, "made", name="read")])
    with pytest.raises(
        UserError, match=f"of {name}, which belongs to the model {V1}, is missing.*{re.escape(advice)}$"
    ):
        pin_companions({"pneumonia_model": V1}, reader, catalog)


def test_a_version_is_loaded_and_the_dataset_left_as_it_was(catalog):
    newest = catalog.load("decision")
    assert load_version(catalog, "decision", E1) == {"weights_sha256": f"weights of {V1}"}
    assert catalog.load("decision") == newest


@pytest.mark.parametrize("content", [[], 3, {"a": 1}])
def test_a_record_of_another_layout_does_not_pass_for_one_of_no_model(catalog, write, content):
    write("checked_lineage", E1, content)
    write("metrics", E4, {})
    with pytest.raises(UserError, match=r"is no record|is not what this release writes"):
        refuse_mixture({"metrics"}, catalog)


def test_a_decision_that_is_no_record_is_named(catalog, tmp_path):
    (tmp_path / f"decision.json/{E4}/decision.json").write_text("[]")
    with pytest.raises(UserError, match=f"Version {E4} of decision is no record"):
        find_companions(catalog, OUTPUTS, V1)
