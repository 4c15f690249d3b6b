import pytest

from pneumonia.base.errors import UserError
from pneumonia.model.lineage import manifest_digest, weights_digest
from pneumonia.runs.belonging import refuse_foreign


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
