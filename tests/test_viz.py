"""The graph in kedro-viz: what the catalog says about it, and what a browser shows of it."""

import contextlib
import functools
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
import yaml
from tests.browser import CHROMIUM, Browser

LAYERS = ["raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting"]
STAGES = ["ingest", "imbalance", "inputs", "training", "evaluation"]
# Images in their source, databases, weights and what is empty after a run.
WITHOUT_PREVIEW = {
    "chest_xrays",
    "earlier_run_records",
    "index_cache",
    "pixel_store",
    "pneumonia_model",
    "run_context",
    "tensorboard_logs",
    "training_state",
}
NODES = "[...document.querySelectorAll('.pipeline-node')]"


def written_entries(folder):
    """Return the entries as they are written, of which some stand for several datasets."""
    entries = {}
    for path in sorted(folder.glob("catalog*.yml")):
        entries |= yaml.safe_load(path.read_text())
    return entries


def test_every_dataset_of_every_environment_has_a_layer(project):
    for environment in ("base", "demo"):
        for name, entry in written_entries(project / "conf" / environment).items():
            assert entry["metadata"]["kedro-viz"]["layer"] in LAYERS, name


def test_the_catalog_has_the_datasets_of_the_pipelines_and_no_others(project, catalog_entries):
    assert {name for name, entry in catalog_entries.items() if entry is None} == set()
    assert {name for name in written_entries(project / "conf/base") if "{" not in name} <= set(catalog_entries)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    assert CHROMIUM, "Chromium is missing: apt-get install chromium"
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def server(finished_checkout, tmp_path_factory):
    """The address of `kedro viz run` on the finished run."""
    port = next(port for port in range(20000, 30000) if is_free(port))
    kedro = Path(sys.executable).with_name("kedro")
    command = [kedro, "viz", "run", "--env=tiny", "--no-browser", "--host=127.0.0.1", f"--port={port}"]
    log = tmp_path_factory.mktemp("viz") / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=finished_checkout, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        assert answers(f"http://127.0.0.1:{port}/api/main", process), log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        # The server is a process of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def answers(url, process):
    """Wait for an answer as long as the process lives; tell whether there was one."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=120):
                return True
        except OSError:
            time.sleep(0.5)
    return False


@pytest.fixture(scope="module")
def site(project, finished_checkout):
    """The address of the static site, built by the commands of `make site` and served by a plain file server."""
    makefile = (project / "Makefile").read_text()
    commands = makefile.partition("\nsite:")[2].partition("\n\n")[0].splitlines()[1:]
    for command in commands:
        command = command.replace("$(BIN)", str(Path(sys.executable).parent)).replace(
            "KEDRO_ENV=demo", "KEDRO_ENV=tiny"
        )
        subprocess.run(command, shell=True, check=True, cwd=finished_checkout)
    handler = functools.partial(QuietHandler, directory=finished_checkout / "build")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as file_server:
        threading.Thread(target=file_server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{file_server.server_port}"
        file_server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(params=["server", "site"])
def page(request, browser):
    """The graph in a window of 1440 pixels, drawn to its end."""
    browser.address = request.getfixturevalue(request.param)
    browser.open(browser.address, 1440)
    browser.wait(f"{NODES}.some(node => node.textContent === 'evaluation')")
    return browser


def nodes_of(page, kind=""):
    """The middle of each node on the screen, by name, in pixels from the left and the top."""
    found = page.run(
        f"{NODES}.filter(node => node.matches('.pipeline-node{kind}')).map(node => "
        "{ const box = node.getBoundingClientRect();"
        " return [node.textContent, box.x + box.width / 2, box.y + box.height / 2]; })"
    )
    return {name: (x, y) for name, x, y in found}


def click(page, name):
    page.run(
        f"{NODES}.find(node => node.textContent === '{name}')"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true, view: window}))"
    )
    page.wait(f"document.querySelector('.pipeline-metadata__title')?.textContent === '{name}'")


def expand(page, stage, node):
    page.run(
        f"{NODES}.find(node => node.textContent === '{stage}')"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true, view: window}))"
    )
    page.wait(f"{NODES}.some(node => node.textContent === '{node}')")


@pytest.mark.slow
def test_each_stage_is_one_box_from_top_to_bottom(page):
    boxes = nodes_of(page, ".pipeline-node--modularPipeline")
    assert sorted(boxes) == sorted(STAGES)
    assert nodes_of(page, ".pipeline-node--task") == {}

    heights = {name: y for name, (_, y) in nodes_of(page).items()}
    for upper, lower in (
        ("chest_xrays", "ingest"),
        ("ingest", "split_manifest"),
        ("split_manifest", "imbalance"),
        ("split_manifest", "inputs"),
        ("imbalance", "training"),
        ("inputs", "training"),
        ("training", "pneumonia_model"),
        ("pneumonia_model", "evaluation"),
        ("evaluation", "report"),
    ):
        assert heights[upper] < heights[lower], (upper, lower)


@pytest.mark.slow
def test_a_box_opens_to_its_nodes(page):
    expand(page, "inputs", "store_pixels")

    page.wait(f"!{NODES}.some(node => node.textContent === 'inputs')")
    assert sorted(nodes_of(page, ".pipeline-node--task")) == ["draw_batch", "store_pixels"]


@pytest.mark.slow
def test_the_preview_of_a_figure_has_pixels(page):
    click(page, "training_curves")

    width = page.wait("document.querySelector('.pipeline-metadata img')?.naturalWidth")
    assert width > 1000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "text"),
    [
        ("leak_audit", "manifest"),
        ("class_weights", "PNEUMONIA"),
        ("report", "Summary"),
        ("model_card", "Limits"),
    ],
)
def test_the_preview_of_a_text_shows_it(page, dataset, text):
    click(page, dataset)

    page.wait(f"document.querySelector('.pipeline-metadata').innerText.includes('{text}')")


@pytest.mark.slow
def test_nothing_of_our_origin_fails(page):
    click(page, "training_curves")
    page.wait("document.querySelector('.pipeline-metadata img')?.naturalWidth")
    expand(page, "evaluation", "compute_metrics")

    elsewhere = "https://fonts.googleapis.com/"  # kedro-viz' font, which no machine without a network gets
    assert [failure for failure in page.failures() if not failure.startswith(elsewhere)] == []


@pytest.mark.slow
def test_every_dataset_that_can_be_looked_at_has_a_preview(server):
    def ask(path):
        with urllib.request.urlopen(f"{server}/api/{path}") as answer:
            return json.load(answer)

    datasets = {node["name"]: node["id"] for node in ask("main")["nodes"] if node["type"] == "data"}
    assert {name for name, node in datasets.items() if not ask(f"nodes/{node}").get("preview")} == WITHOUT_PREVIEW
