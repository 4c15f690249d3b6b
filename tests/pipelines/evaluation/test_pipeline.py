import pytest

from pneumonia.pipelines import comparison, evaluation


@pytest.mark.parametrize("pipeline", [evaluation, comparison])
def test_every_dataset_is_in_the_catalog_with_a_layer(pipeline, catalog_entries):
    names = {name for name in pipeline.create_pipeline().datasets() if not name.startswith("param")}
    for name in names:
        assert catalog_entries[name]["metadata"]["kedro-viz"]["layer"], name


def test_every_result_of_the_evaluation_is_versioned(catalog_entries):
    for name in evaluation.create_pipeline().all_outputs():
        assert catalog_entries[name]["versioned"], name


def test_metrics_are_where_people_look_for_them(catalog_entries):
    assert catalog_entries["metrics"]["filepath"] == "data/08_reporting/metrics.json"


@pytest.mark.parametrize(("pipeline", "stage"), [(evaluation, "evaluation"), (comparison, "comparison")])
def test_every_node_is_in_the_box_and_under_the_tag_of_its_stage(pipeline, stage):
    for node in pipeline.create_pipeline().nodes:
        assert node.namespace == stage
        assert stage in node.tags


def test_only_the_scores_of_validation_and_test_reach_the_decision():
    inputs = {node.short_name: set(node.inputs) for node in evaluation.create_pipeline().nodes}
    assert inputs["make_decision"] == {"scores", "checked_lineage", "params:evaluation"}
