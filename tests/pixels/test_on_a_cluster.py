"""Reading and decoding of files, sent to a Dask cluster."""

import numpy as np
import pytest
from tests.cluster import Cluster

from pneumonia.base.parameters import IngestParameters
from pneumonia.base.study_parameters import EngineParameters
from pneumonia.images.cache import IndexCache
from pneumonia.images.index import examine_files
from pneumonia.images.source import ImageSource
from pneumonia.pixels.request import PixelRequest
from pneumonia.pixels.store import PixelStores

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield EngineParameters(address=cluster.address, pool="threads", workers=1)


@pytest.fixture
def source(tmp_path, tiny_images):
    for path, content in tiny_images.items():
        (tmp_path / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / path).write_bytes(content)
    (tmp_path / "images/train/NORMAL/bad.png").write_bytes(b"no image")
    return ImageSource(str(tmp_path / "images"))


def test_a_cluster_finds_what_this_machine_finds(source, engine, tmp_path, default_parameters):
    parameters = IngestParameters.model_validate(default_parameters["ingest"])
    here = examine_files(source, IndexCache(tmp_path / "here.sqlite"), parameters)
    there = examine_files(source, IndexCache(tmp_path / "there.sqlite"), parameters, engine)

    assert len(here) == 41
    assert there == here


def test_a_cluster_decodes_the_same_pixels(source, engine, tmp_path, tiny_manifest, tiny_store):
    sha256s = tuple(tiny_manifest["sha256"])
    stores = PixelStores(tmp_path / "stores")
    stores.fill(PixelRequest(tuple(tiny_manifest["path"]), sha256s, 32, "squeeze", source.read, engine))

    store = stores.open(32, "squeeze")
    assert np.array_equal(store.read(store.rows(sha256s)), tiny_store.read(tiny_store.rows(sha256s)))


def test_images_that_appear_between_two_runs_are_seen_by_workers_that_stayed(
    source, engine, tmp_path, default_parameters
):
    parameters = IngestParameters.model_validate(default_parameters["ingest"])
    examine_files(source, IndexCache(tmp_path / "first.sqlite"), parameters, engine)
    (tmp_path / "images/train/NORMAL/new.png").write_bytes(b"no image either")

    again = examine_files(ImageSource(source.address), IndexCache(tmp_path / "second.sqlite"), parameters, engine)

    assert again["train/NORMAL/new.png"].problem == "text, not an image"
