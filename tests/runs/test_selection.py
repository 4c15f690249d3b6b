import pytest
from kedro.framework.startup import bootstrap_project

from pneumonia.base.errors import UserError
from pneumonia.runs.selection import refuse_unknown


@pytest.fixture(autouse=True)
def registered(project):
    """The pipelines of this checkout, as `kedro run` finds them."""
    bootstrap_project(project)


UNKNOWN = [
    ({"pipeline_names": ["trainig"]}, r"There is no pipeline trainig\. Did you mean training\?"),
    ({"pipeline_name": "trainig"}, r"There is no pipeline trainig\. Did you mean training\?"),
    ({"pipeline_names": ["ingest", "zzz"]}, r"There is no pipeline zzz\. Known: adaptation, .*, training\."),
    (
        {"pipeline_names": ["training"], "from_nodes": ["split_images"]},
        r"--from-nodes: there is no split_images in training\. Did you mean ingest\.split_images\?",
    ),
    (
        {"to_nodes": ["prediction.predict_images"]},
        r"--to-nodes: there is no prediction\.predict_images in the default run\. "
        r"It is in --pipelines=prediction\.",
    ),
    ({"node_names": ("ingest.splitimages",)}, r"--nodes: .*Did you mean ingest\.split_images or .*\?"),
    ({"to_nodes": ["qqq"]}, r"--to-nodes: there is no qqq in .* Known: .* and \d+ more\."),
    ({"tags": ("training", "evalution")}, r"--tags: there is no evalution in .* Did you mean evaluation\?"),
    (
        {"from_inputs": ["split_manifst"]},
        r"--from-inputs: there is no split_manifst .* Did you mean split_manifest.*\?",
    ),
    ({"to_outputs": ["new_predictions"]}, r"--to-outputs: .* It is in --pipelines=prediction\."),
    (
        {"load_versions": {"pneumonia_modl": "2026"}},
        r"--load-versions: there is no pneumonia_modl in the default run\. Did you mean pneumonia_model\?",
    ),
]


@pytest.mark.parametrize(("selection", "message"), UNKNOWN)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest(selection, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        refuse_unknown(selection)


@pytest.mark.parametrize(
    "selection",
    [
        {"from_nodes": ["training.train_network"], "to_nodes": ["ingest.split_images"]},
        {"tags": ["ingest"], "node_names": ["training.train_network"]},
        {"namespaces": ["lab"]},
    ],
)
def test_a_selection_that_leaves_nothing_is_refused(selection):
    with pytest.raises(UserError, match=r"^Nothing to run: "):
        refuse_unknown(selection)


@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"pipeline_names": [], "tags": (), "load_versions": None},
        {"pipeline_names": ["ingest", "imbalance"], "to_nodes": ["imbalance.weigh_classes"]},
        {"tags": ["training"], "load_versions": {"split_manifest": "2026", "new_predictions": "2026"}},
        {"pipeline_names": ["prediction"], "to_outputs": ["new_predictions"]},
    ],
)
def test_names_that_exist_are_accepted(selection):
    refuse_unknown(selection)


def test_a_run_may_start_from_a_parameter():
    refuse_unknown({"from_inputs": ["params:evaluation"]})
