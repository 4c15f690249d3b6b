import contextlib
import io
import json
import logging
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from filelock import FileLock

TINY = {
    "training": {"epochs": 1, "batch_size": 16},
    "inputs": {"image_size": 64},
    "evaluation": {"resamples": 200, "robustness_images": 20, "framing_images": 10, "train_images": 20},
}


class Ended(NamedTuple):
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def kedro(folder, *arguments, answers=""):
    """Do what `kedro` does in `folder`, in this process, so that TensorFlow is imported once for all tests.

    Arguments, messages and exit status pass through Kedro's own command line; an error that would end in a traceback
    is written as one. `answers` is what a user types.
    """
    from kedro.framework.cli.cli import KedroCLI

    out, err = io.StringIO(), io.StringIO()
    with (
        _place(folder, ["kedro", *arguments], answers),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        command = KedroCLI(folder)
        with _messages_to(err):
            status = _status_of(lambda: command.main(list(arguments), prog_name="kedro"), err)
    return Ended(status, out.getvalue(), err.getvalue())


def python(folder, *arguments):
    """Do what `python FILE ...` or `python -c CODE` does in `folder`, in this process; an error becomes its text."""
    is_code = arguments[0] == "-c"
    argv = ["-c", *arguments[2:]] if is_code else list(arguments)
    out, err = io.StringIO(), io.StringIO()
    with _place(folder, argv, ""), contextlib.redirect_stdout(out):
        if is_code:
            status = _status_of(lambda: exec(arguments[1], {"__name__": "__main__"}), err)
        else:
            sys.path.insert(0, str(Path(folder, argv[0]).parent))
            status = _status_of(lambda: runpy.run_path(argv[0], run_name="__main__"), err)
    return Ended(status, out.getvalue(), err.getvalue())


def _status_of(run, err):
    """Return the exit status of what `run` does; an error becomes the traceback that a user would see."""
    try:
        run()
    except SystemExit as end:
        return end.code or 0
    except Exception:  # noqa: BLE001 - whatever it is, a user would see its traceback
        traceback.print_exc(file=err)
        return 1
    return 0


@contextlib.contextmanager
def _place(folder, argv, answers):
    """Work in `folder` with this command line and these answers at the prompt; restore everything afterwards."""
    former = sys.argv, sys.path[:], sys.stdin, dict(os.environ)
    sys.argv, sys.stdin = argv, io.StringIO(answers)
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        sys.argv, sys.path[:], sys.stdin = former[:3]
        os.environ.clear()
        os.environ.update(former[3])


@contextlib.contextmanager
def _messages_to(stream):
    """Let the console of conf/logging.yml write to `stream`, as it would if it were set up now."""
    consoles = [handler for handler in logging.getLogger().handlers if handler.get_name() == "console"]
    for console in consoles:
        console.setStream(stream)
    try:
        yield
    finally:
        for console in consoles:
            console.setStream(sys.__stderr__)


def kedro_process(folder, *arguments):
    """Run `kedro` with its installed entry point in a process of its own, and return the finished process."""
    return subprocess.run(
        [Path(sys.executable).with_name("kedro"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )


@contextlib.contextmanager
def serving(folder, program, *arguments, probe):
    """Let a program of this environment serve on the loopback; give its address once it answers at `probe`."""
    port = next(port for port in range(20000, 30000) if _is_free(port))  # Kedro-Viz takes none above 49151
    programs = Path(sys.executable).parent
    # The server leads a process group of its own.
    with tempfile.TemporaryFile("w+") as log, subprocess.Popen(
        [programs / program, *arguments, "--host=127.0.0.1", f"--port={port}"],
        cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
    ) as process:  # fmt: skip
        try:
            if not _answers(f"http://127.0.0.1:{port}{probe}", process):
                log.seek(0)
                raise AssertionError(log.read()[-3000:])
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def _is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _answers(url, process):
    """Wait for an answer as long as the process lives, ten minutes at most; tell whether there was one."""
    for _ in range(1200):
        if process.poll() is not None:
            return False
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=120):
            return True
        time.sleep(0.5)
    return False


def post(url, body):
    """Send a body as JSON and return the answer."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


class Opened(NamedTuple):
    """A page in a browser, and growing lists of what it asks for, says and fails to load, as text."""

    page: Any
    asked: list[str]
    said: list[str]
    failed: list[str]


def succeed(folder, *arguments, by=kedro, **settings):
    ended = by(folder, *arguments, **settings)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return ended


@pytest.fixture(scope="session")
def project():
    """The folder of the checkout."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def default_parameters(project):
    """The parameters of conf/base, as plain dictionaries."""
    from kedro.config import OmegaConfigLoader

    loader = OmegaConfigLoader(
        conf_source=str(project / "conf"),
        base_env="base",
        default_run_env="base",
        merge_strategy={"parameters": "soft"},
    )
    return loader["parameters"]


@pytest.fixture(scope="session")
def evaluation_parameters(default_parameters):
    """The default parameters of the evaluation."""
    from pneumonia.base.parameters import EvaluationParameters

    return EvaluationParameters(**default_parameters["evaluation"])


@pytest.fixture(scope="session")
def catalog_entries(project):
    """The catalog entry of each dataset that a pipeline names, in conf/base; None where there is none."""
    from kedro.config import OmegaConfigLoader
    from kedro.io import CatalogConfigResolver

    from pneumonia.pipeline_registry import register_pipelines

    loader = OmegaConfigLoader(conf_source=str(project / "conf"), base_env="base", default_run_env="base")
    catalog = CatalogConfigResolver(loader["catalog"])
    named = set().union(*(pipeline.datasets() for pipeline in register_pipelines().values()))
    names = {name for name in named if not name.startswith("params:")} - {"parameters"}
    known = {name for name in names if name in catalog.config or catalog.match_dataset_pattern(name)}
    return {name: catalog.resolve_pattern(name) if name in known else None for name in names}


@pytest.fixture(scope="session")
def tiny_images():
    """40 grey PNG files by path, 32 px: noise, with a bright band on top where the class is PNEUMONIA."""
    import io

    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    files = {}
    for index in range(40):
        label = "PNEUMONIA" if index % 2 else "NORMAL"
        pixels = rng.integers(60, 160, (32, 32))
        pixels[4:12] += 60 if index % 2 else 0
        content = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(content, "PNG")
        files[f"train/{label}/person{index}.png"] = content.getvalue()
    return files


@pytest.fixture(scope="session")
def tiny_manifest(tiny_images):
    """A manifest of the tiny images: 24 train, 8 val, 8 test; every image is its own group."""
    import hashlib

    import pandas as pd

    splits = ["train"] * 24 + ["val"] * 8 + ["test"] * 8
    rows = [
        {
            "path": path,
            "label": path.split("/")[1],
            "target": int("PNEUMONIA" in path),
            "etiology": "unknown" if "PNEUMONIA" in path else "none",
            "group": path.split("/")[2],
            "split": split,
            "source_split": "train",
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "width": 32,
            "height": 32,
            "mode": "L",
        }
        for (path, content), split in zip(tiny_images.items(), splits, strict=True)
    ]
    return pd.DataFrame(rows).sort_values("path", ignore_index=True)


@pytest.fixture(scope="session")
def tiny_stores(tmp_path_factory, tiny_images, tiny_manifest):
    """The pixel stores that hold the tiny images at 32 px, squeezed."""
    from pneumonia.pixels.request import PixelRequest
    from pneumonia.pixels.store import PixelStores

    stores = PixelStores(tmp_path_factory.mktemp("pixels"))
    stores.fill(
        PixelRequest(
            paths=tuple(tiny_manifest["path"]),
            sha256s=tuple(tiny_manifest["sha256"]),
            image_size=32,
            resize="squeeze",
            read=tiny_images.__getitem__,
        )
    )
    return stores


@pytest.fixture(scope="session")
def tiny_store(tiny_stores):
    """The opened store of the tiny images."""
    return tiny_stores.open(32, "squeeze")


@pytest.fixture(scope="session")
def tiny_pixels(tiny_stores, tiny_store):
    """What a node opens the tiny images with: the stores, and the lineage of a model that was made for them."""
    return tiny_stores, {"pixels": tiny_store.fingerprint, "image_size": 32, "resize": "squeeze", "etiologies": []}


@pytest.fixture(scope="session")
def network():
    """A small network of one convolution, for images of 32 px."""
    import keras

    keras.utils.set_random_seed(3)
    image = keras.Input((32, 32, 1), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(8, 5, 4, activation="relu", name="features")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(1, activation="sigmoid", name="probability")(x))


@pytest.fixture(scope="session")
def lineage(network, tiny_pixels, tiny_manifest):
    """What the small network was made from: the tiny images."""
    from pneumonia.model.lineage import manifest_digest, weights_digest

    return {
        **tiny_pixels[1],
        "manifest_sha256": manifest_digest(tiny_manifest),
        "class_names": ["NORMAL", "PNEUMONIA"],
        "weights_sha256": weights_digest(network),
    }


@pytest.fixture(scope="session")
def decision(network):
    """A threshold and a calibration that halves the log-odds."""
    from pneumonia.model.lineage import weights_digest

    return {
        "weights_sha256": weights_digest(network),
        "threshold": 0.5,
        "threshold_on": "calibrated",
        "calibration": {"method": "logistic", "prevalence": 0.5, "slope": 0.5, "intercept": 0.0},
        "fitted_on": {"split": "val", "n": 8, "n_groups": 8},
    }


@pytest.fixture(scope="session")
def image_range(network, tiny_manifest, tiny_pixels, evaluation_parameters):
    """What the tiny images look like to the small network."""
    from pneumonia.predictor.describing import fit_image_range

    return fit_image_range(network, tiny_manifest, *tiny_pixels, evaluation_parameters)


@pytest.fixture(scope="session")
def wide_range(image_range):
    """A range that every image lies in."""
    return {**image_range, "bound": 1e12}


@pytest.fixture(scope="session")
def trained_model(network, lineage, decision, wide_range):
    """The small network with what belongs to it, as nodes take it."""
    return {
        "pneumonia_model": network,
        "model_lineage": lineage,
        "decision": decision,
        "image_range": wide_range,
        "run_context": {
            "run_id": "R",
            "environment": "local",
            "command": "kedro run",
            "versions": {"pneumonia_model": "V"},
            "commit": None,
            "hardware": {"cpu": "A processor", "cores": 2, "platform": "Linux"},
        },
    }


@pytest.fixture(scope="session")
def copy_project(project):
    """Make a copy of the project without data, in which a test may run `kedro`."""

    def copy(folder):
        folder.mkdir(parents=True)
        shutil.copytree(project / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
        (folder / "conf" / "local").mkdir()
        shutil.copytree(project / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(project / name, folder)
        return folder

    return copy


@pytest.fixture(scope="session")
def tiny_checkout(project, copy_project):
    """Make a checkout with an environment `tiny`: the demo with few images and one epoch."""

    def make(folder):
        copy_project(folder)
        tiny = folder / "conf" / "tiny"
        tiny.mkdir()
        catalog = yaml.safe_load((project / "conf/demo/catalog.yml").read_text())
        catalog["chest_xrays"]["arguments"]["n_images"] = 120
        (tiny / "catalog.yml").write_text(yaml.safe_dump(catalog))
        (tiny / "parameters.yml").write_text(yaml.safe_dump(TINY))
        (tiny / "globals.yml").write_text("root: data/tiny\nimages: data/tiny/01_raw/chest_xray\n")
        return folder

    return make


@pytest.fixture(scope="session")
def finished_checkout(tmp_path_factory, tiny_checkout):
    """A checkout in which `kedro run --env=tiny` was run once, in a process of its own. Tests leave its data alone.

    It is run by the first worker that needs it; each gets a copy.
    """
    base = tmp_path_factory.getbasetemp()
    finished = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    with FileLock(finished.with_suffix(".lock")):
        if not finished.is_dir():
            folder = tiny_checkout(base / "running")
            succeed(folder, "run", "--env=tiny", by=kedro_process)
            folder.rename(finished)
    return shutil.copytree(finished, base / "finished_checkout")


@pytest.fixture(scope="module")
def open_page():
    """Open an address in the system's Chromium, headless, in a window `width` CSS pixels wide."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "Chromium is missing: apt-get install chromium"
    # The browser reaches no other machine.
    arguments = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]

    def open_page(url, width):
        page = browser.new_page(viewport={"width": width, "height": 900}, is_mobile=width < 600)
        opened = Opened(page, [], [], [])
        page.set_default_timeout(60_000)
        page.on("request", lambda request: opened.asked.append(request.url))
        page.on("requestfailed", lambda request: opened.failed.append(f"{request.url}: not loaded"))
        page.on("console", lambda told: opened.said.append(f"{told.type}: {told.text} {told.location['url']}"))
        page.on("pageerror", lambda error: opened.said.append(f"error: {error}"))
        page.goto(url)
        return opened

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=False, args=arguments)
        yield open_page
        browser.close()
