import pytest
import yaml
from tests.pipelines.ingest import faulty_images

from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.source import ImageSource
from pneumonia.pipelines.ingest import nodes


@pytest.fixture(scope="session")
def make_pixels():
    """Make smooth random grey values of 80 x 64 pixels; another seed gives another image."""
    return faulty_images.draw


@pytest.fixture(scope="session")
def encode():
    """Encode an image."""
    return faulty_images.encode


@pytest.fixture(scope="session")
def delivered(project):
    """The parameters as delivered, with changes."""
    values = yaml.safe_load((project / "conf/base/parameters_ingest.yml").read_text())["ingest"]
    return lambda **changes: IngestParameters.model_validate({**values, **changes})


@pytest.fixture
def published(make_pixels, encode):
    """Files in Kaggle's layout: groups of 2 in train, 8 of NORMAL, 4 of each etiology; 1 image each in val and test."""
    names = [f"train/NORMAL/IM-{n:04}-000{k}" for n in range(8) for k in (1, 2)]
    names += [
        f"train/PNEUMONIA/person{n}_{kind}_{k}" for kind in ("bacteria", "virus") for n in range(4) for k in (1, 2)
    ]
    for split, first in (("val", 50), ("test", 60)):
        names += [f"{split}/NORMAL/NORMAL2-IM-00{first}-0001", f"{split}/PNEUMONIA/person{first}_bacteria_1"]
    return {f"{name}.jpeg": encode(make_pixels(seed)) for seed, name in enumerate(names)}


@pytest.fixture
def write_folder(tmp_path):
    """Write files into a new folder and return it."""

    def write(files, name="images"):
        for path, data in files.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return tmp_path / name

    return write


@pytest.fixture
def index(tmp_path, delivered, default_parameters):
    """Index the images at an address."""
    labels = LabelsParameters(**default_parameters["labels"])

    def run(address, **changes):
        source, cache = ImageSource(str(address)), IndexCache(tmp_path / "cache.sqlite")
        image_index, problems = nodes.index_images(source, cache, delivered(**changes), labels, {})
        assert problems.empty  # without a table of labels
        return image_index

    return run


@pytest.fixture
def split(index, delivered):
    """Run all nodes up to the manifest; return index, near-duplicates and manifest."""

    def run(address, **changes):
        parameters = delivered(**changes)
        table = index(address, **changes)
        rejected = nodes.list_rejected(table)
        near = nodes.find_near_duplicates(ImageSource(str(address)), table, rejected, parameters)
        return table, near, nodes.split_images(table, rejected, near, parameters)

    return run
