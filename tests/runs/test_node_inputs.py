import pandas as pd
import pytest

from pneumonia.base.errors import UserError
from pneumonia.model.lineage import manifest_digest, weights_digest
from pneumonia.pipeline_registry import register_pipelines
from pneumonia.runs.node_inputs import SCORING_NODES, refuse_foreign, scored_images


@pytest.mark.parametrize(
    ("lineage", "model"),
    [
        ("checked_lineage", "pneumonia_model"),
        ("model_lineage", "pneumonia_model"),
        ("parent_lineage", "parent_model"),
    ],
)
def test_the_model_of_another_lineage_is_refused_where_an_earlier_run_saved_the_lineage(network, lineage, model):
    inputs = {model: network, lineage: {"weights_sha256": "0" * 64}}

    with pytest.raises(UserError, match=f"{lineage} was made for the model with the weights 000000000000"):
        refuse_foreign(inputs, {lineage})
    refuse_foreign(inputs, set())  # the run itself has made it, and checked it
    refuse_foreign({model: network, lineage: {"weights_sha256": weights_digest(network)}}, {lineage})


def test_a_manifest_that_the_lineage_was_not_checked_against_is_refused(tiny_manifest):
    inputs = {"split_manifest": tiny_manifest, "checked_lineage": {"manifest_sha256": "0" * 64}}

    with pytest.raises(UserError, match="The model was trained with the manifest 000000000000"):
        refuse_foreign(inputs, {"checked_lineage"})
    refuse_foreign({**inputs, "checked_lineage": {"manifest_sha256": manifest_digest(tiny_manifest)}}, set(inputs))


def test_a_prediction_may_meet_another_manifest(tiny_manifest):
    inputs = {"split_manifest": tiny_manifest, "model_lineage": {"manifest_sha256": "0" * 64}}

    refuse_foreign(inputs, set(inputs))


MANIFEST = pd.DataFrame({"split": ["train", "val", "test", "test"], "sha256": list("abcd")})
INDEX = pd.DataFrame({"status": ["ok", "known", "ok"], "sha256": list("efg")})


@pytest.mark.parametrize(
    ("node", "tables", "scored"),
    [
        ("evaluation.score_images", {"split_manifest": MANIFEST}, ["c", "d"]),
        ("evaluation.damage_images", {"split_manifest": MANIFEST, "pneumonia_model": None}, ["c", "d"]),
        ("export.measure_parity", {"split_manifest": MANIFEST}, ["c", "d"]),
        ("external.predict_external", {"external_index": INDEX, "split_manifest": MANIFEST}, ["e", "g"]),
        ("adaptation.adapt", {"adaptation_plan": MANIFEST.assign(split=["train", "new", "val", "test"])}, ["b", "d"]),
        ("evaluation.score_train_sample", {"split_manifest": MANIFEST}, []),
        ("evaluation.reframe_images", {"split_manifest": MANIFEST}, []),
    ],
)
def test_the_images_that_a_node_lets_a_model_score(node, tables, scored):
    assert scored_images(node, tables) == scored


def test_every_node_of_the_ledger_exists_with_its_table():
    nodes = {node.name: node for pipeline in register_pipelines().values() for node in pipeline.nodes}
    for name, table in SCORING_NODES.items():
        assert table in nodes[name].inputs, name
