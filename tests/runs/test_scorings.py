import pandas as pd
import pytest

from pneumonia.pipeline_registry import register_pipelines
from pneumonia.runs.scorings import SCORING_NODES, scored_images

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
