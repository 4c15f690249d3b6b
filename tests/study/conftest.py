import pandas as pd
import pytest
from tests.tiny_network import NAME, register_tiny_network

from pneumonia.base.parameters import Parameters
from pneumonia.images.source import ImageSource
from pneumonia.pixels.store import PixelStores
from pneumonia.study.plan import plan_study
from pneumonia.study.run import plan_jobs
from pneumonia.study.task import StudyRecords

TINY = {
    "inputs": {"image_size": 32, "resize": "squeeze"},
    "model": {"name": NAME},
    "training": {
        "epochs": 2,
        "batch_size": 8,
        "image_scale": 1.0,
        "target": "class",
        "deterministic": True,
        "precision": "float32",
    },
    "evaluation": {"framing_images": 4, "robustness": False},
    "study": {
        "recipes": [{"name": "base", "changes": {}}, {"name": "hot", "changes": {"training.learning_rate": 0.01}}],
        "seeds": [0, 1],
        "folds": 2,
    },
    "engine": {"workers": 2, "pool": "threads"},
}


NO_IMAGES = pd.DataFrame(columns=["path", "sha256", "target"])


def plan_of(parameters):
    """Plan a study with the groups of these parameters."""
    given = Parameters.model_validate(parameters)
    groups = ("study", "imbalance", "inputs", "model", "training", "evaluation")
    return plan_study(*(getattr(given, name) for name in groups))


def changed(parameters, changes):
    """Return the parameters with changes in some groups."""
    return {**parameters, **{group: {**parameters[group], **values} for group, values in changes.items()}}


@pytest.fixture(scope="session")
def parameters(default_parameters):
    """The parameters of conf/base, changed for a tiny network on tiny images: two recipes, seeds and folds."""
    register_tiny_network()
    return changed(default_parameters, TINY)


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory, tiny_images):
    """The tiny images as files."""
    folder = tmp_path_factory.mktemp("images")
    for path, content in tiny_images.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def places_in(folder, image_folder):
    """Where a study of the tiny images reads them and keeps pixels and records, below a folder."""
    return {
        "chest_xrays": ImageSource(str(image_folder)),
        "pixel_store": PixelStores(folder / "pixels"),
        "study_records": StudyRecords(folder / "records"),
    }


@pytest.fixture
def make_jobs(tmp_path, image_folder, tiny_manifest):
    """Plan the jobs of a study of the tiny images, with pixels and records below a folder of their own."""

    def make(parameters, folder=tmp_path, external=NO_IMAGES, manifest=tiny_manifest):
        ingest = Parameters.model_validate(parameters).ingest
        return plan_jobs(plan_of(parameters), manifest, external, ingest, **places_in(folder, image_folder))

    return make
