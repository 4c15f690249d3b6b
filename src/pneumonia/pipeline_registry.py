"""The pipelines for `kedro run`."""

from kedro.pipeline import Pipeline

from pneumonia.pipelines import (
    adaptation,
    comparison,
    evaluation,
    export,
    external,
    imbalance,
    ingest,
    inputs,
    prediction,
    study,
    training,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Return the registered pipelines by name.

    They are listed explicitly: `find_pipelines()` loads only one folder when a run names a pipeline, and `training` is
    the sum of several.
    """
    stages = {
        "ingest": ingest.create_pipeline(),
        "imbalance": imbalance.create_pipeline(),
        "inputs": inputs.create_pipeline(),
    }
    train = sum(stages.values(), Pipeline([])) + training.create_pipeline()
    evaluate = evaluation.create_pipeline()
    return {
        **stages,
        "training": train,
        "evaluation": evaluate,
        "comparison": comparison.create_pipeline(),
        "prediction": prediction.create_pipeline(),
        "external": external.create_pipeline(),
        "adaptation": adaptation.create_pipeline(training.describe_model()),
        "export": export.create_pipeline(),
        "study": stages["ingest"] + stages["inputs"] + study.create_pipeline(),
        "__default__": train + evaluate,
    }
