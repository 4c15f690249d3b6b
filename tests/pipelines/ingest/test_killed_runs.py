import multiprocessing
import signal
import time

import pytest
from tests.pipelines.ingest.run_ingest import make_catalog, run

TABLES = (
    "image_index", "rejected_images", "duplicate_images", "near_duplicates", "split_manifest", "split_table",
    "leak_audit", "data_flow",
)  # fmt: skip
# How far into the run it is killed, as a share of the time a whole run takes; the first is before anything is read.
MOMENTS = (0.0, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


# The server imports Kedro and the pipeline once; each run is a fork of it, with no thread of the tests' process.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.pipelines.ingest.run_ingest", "pneumonia.datasets.text_datasets"])


def start(project, images, root):
    begun = PROCESSES.Event()
    process = PROCESSES.Process(target=run, args=(project, images, root, begun))
    process.start()
    assert begun.wait(120)
    return process


def catalog_of(project, images, root):
    return make_catalog(project, str(images), str(root))


@pytest.fixture(scope="module")
def images(tmp_path_factory, make_pixels, encode):
    """600 images, so that a run takes a while."""
    root = tmp_path_factory.mktemp("images")
    names = [f"train/NORMAL/IM-{n:04}-0001" for n in range(200)]
    names += [f"train/PNEUMONIA/person{n}_{kind}_1" for kind in ("bacteria", "virus") for n in range(150)]
    names += [f"test/NORMAL/IM-{n:04}-0001" for n in range(200, 250)] + [
        f"test/PNEUMONIA/person{n}_virus_1" for n in range(200, 250)
    ]
    for seed, name in enumerate(names):
        path = root / f"{name}.jpeg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(make_pixels(seed).resize((640, 512))))
    return root


@pytest.fixture(scope="module")
def whole(project, images, tmp_path_factory):
    """The tables of a run that is not killed, and how many seconds it takes."""
    root = tmp_path_factory.mktemp("whole")
    process = start(project, images, root)
    begin = time.perf_counter()
    process.join()
    assert process.exitcode == 0
    seconds = time.perf_counter() - begin
    catalog = catalog_of(project, images, root)
    return {name: catalog.load(name) for name in TABLES}, seconds


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_killed_at_any_moment_leaves_nothing_half_written(project, images, whole, tmp_path, moment):
    tables, seconds = whole
    process = start(project, images, tmp_path)
    time.sleep(moment * seconds)
    process.kill()
    process.join()

    catalog = catalog_of(project, images, tmp_path)
    left = {name: catalog.load(name) for name in TABLES if catalog.exists(name)}
    for name, table in left.items():
        assert table.equals(tables[name]), name
    later = start(project, images, tmp_path)
    later.join()
    assert later.exitcode == 0
    catalog = catalog_of(project, images, tmp_path)
    for name in TABLES:
        assert catalog.load(name).equals(tables[name]), name
