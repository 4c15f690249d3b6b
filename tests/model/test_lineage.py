import json

import pytest
from kedro.io import DataCatalog

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import Parameters
from pneumonia.datasets import TableDataset
from pneumonia.model.lineage import (
    LineageContract,
    check_lineage,
    check_weights,
    class_names,
    make_lineage,
    manifest_digest,
    weights_digest,
)
from pneumonia.model.recipe import Recipe


def test_the_digest_is_that_of_the_saved_file(tiny_manifest, tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "manifest.csv"))
    dataset.save(tiny_manifest)

    assert (tmp_path / "manifest.csv.sha256").read_text().split()[0] == manifest_digest(tiny_manifest)
    assert manifest_digest(dataset.load()) == manifest_digest(tiny_manifest)


def test_the_negative_class_comes_first(tiny_manifest):
    assert class_names(tiny_manifest.iloc[::-1]) == ["NORMAL", "PNEUMONIA"]


def test_the_models_own_manifest_is_accepted(tiny_manifest):
    check_lineage({"manifest_sha256": manifest_digest(tiny_manifest)}, tiny_manifest)
    # As earlier releases made it, without what is known of the patients.
    check_lineage({"manifest_sha256": manifest_digest(tiny_manifest)}, tiny_manifest.assign(age="7", sex=""))


def test_another_manifest_is_refused_naming_both(tiny_manifest):
    other = tiny_manifest.assign(split="train")

    expected = f"{manifest_digest(tiny_manifest)[:12]}, but this one is {manifest_digest(other)[:12]}"
    with pytest.raises(UserError, match=expected):
        check_lineage({"manifest_sha256": manifest_digest(tiny_manifest)}, other)


def make_network(seed):
    import keras

    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="one")])


def test_the_digest_of_weights_is_that_of_their_values():
    assert weights_digest(make_network(1)) == weights_digest(make_network(1)) != weights_digest(make_network(2))


def test_a_record_of_another_model_is_refused():
    model = make_network(1)
    check_weights({"weights_sha256": weights_digest(model)}, model, "decision")
    with pytest.raises(UserError, match="decision was made for the model with the weights"):
        check_weights({"weights_sha256": weights_digest(make_network(2))}, model, "decision")
    with pytest.raises(UserError, match="decision was made for the model with the weights unknown"):
        check_weights({"threshold": 0.5}, model, "decision")  # as older releases wrote it


def test_the_lineage_says_what_a_model_was_made_from(tiny_manifest, tiny_store, default_parameters):
    given = Parameters.model_validate(default_parameters)
    weights, etiologies = {"NORMAL": 1.0, "PNEUMONIA": 1.0}, ("bacteria", "virus")
    groups = {"inputs": given.inputs, "model": given.model, "training": given.training}
    recipe = Recipe(**groups, class_weights=weights, etiologies=etiologies)
    context = {"run_id": "r", "commit": "c", "versions": {"split_manifest": "v"}, "packages": {}}
    lineage = make_lineage(tiny_manifest, tiny_store, recipe, given.ingest, context)

    assert lineage["class_names"] == ["NORMAL", "PNEUMONIA"]
    assert lineage["pixels"] == tiny_store.fingerprint
    assert lineage["manifest_sha256"] == manifest_digest(tiny_manifest)
    assert lineage["etiologies"] == ["bacteria", "virus"]
    assert (lineage["run_id"], lineage["commit"], lineage["versions"]) == ("r", "c", {"split_manifest": "v"})
    assert lineage["ingest"]["seed"] == given.ingest.seed
    assert lineage["training"]["epochs"] == given.training.epochs


NEEDED = {name: field.annotation() for name, field in LineageContract.layout.model_fields.items()}


@pytest.fixture
def load(tmp_path, catalog_entries):
    """Load a lineage as a run does, from a file with this content and no checksum."""

    def load(content):
        (tmp_path / "model_lineage.json").write_text(content)
        entry = {**catalog_entries["model_lineage"], "filepath": str(tmp_path / "model_lineage.json")}
        return DataCatalog.from_config({"model_lineage": {**entry, "versioned": False}}).load("model_lineage")

    return load


OF_OTHER_KINDS = json.dumps({**NEEDED, "image_size": "224"})


@pytest.mark.parametrize("content", ["[]", "{}", "1", "null", '{"versions": {}}', OF_OTHER_KINDS])
def test_a_lineage_that_says_nothing_of_its_model_ends_a_run_in_a_sentence(load, content):
    with pytest.raises(Exception, match="model_lineage .*train again") as end:
        load(content)
    assert isinstance(end.value.__cause__, UserError)


def test_a_whole_lineage_is_kept_as_it_is(tmp_path):
    lineage = {**NEEDED, "more": 1}
    assert LineageContract().validate(lineage) == lineage
