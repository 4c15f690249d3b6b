"""The graph in kedro-viz: what the catalog says about it, and what a browser shows of it."""

import functools
import http.server
import json
import re
import subprocess
import sys
import threading
import urllib.request
from itertools import product
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect
from tests.conftest import serving

LAYERS = ["raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting"]
STAGES = ["ingest", "imbalance", "inputs", "training", "evaluation"]
# Images in their source, databases, weights and what is empty after a run.
WITHOUT_PREVIEW = {
    "chest_xrays",
    "scoring_ledger",
    "index_cache",
    "pixel_store",
    "pneumonia_model",
    "run_context",
    "training_state",
    "trained_models",
}


def written_entries(folder):
    """Return the entries as they are written, without Kedro's templates (`_name`); some stand for several datasets."""
    entries = {}
    for path in sorted(folder.glob("catalog*.yml")):
        entries |= yaml.safe_load(path.read_text())
    return {name: entry for name, entry in entries.items() if not name.startswith("_")}


def test_every_dataset_of_every_environment_has_a_layer(project):
    for environment in ("base", "demo"):
        for name, entry in written_entries(project / "conf" / environment).items():
            assert entry["metadata"]["kedro-viz"]["layer"] in LAYERS, name


def test_the_catalog_has_the_datasets_of_the_pipelines_and_no_others(project, catalog_entries):
    assert {name for name, entry in catalog_entries.items() if entry is None} == set()
    assert {name for name in written_entries(project / "conf/base") if "{" not in name} <= set(catalog_entries)


def test_no_pipeline_leads_from_a_layer_back_to_an_earlier_one(catalog_entries):
    from pneumonia.pipeline_registry import register_pipelines

    floor = {name: LAYERS.index(entry["metadata"]["kedro-viz"]["layer"]) for name, entry in catalog_entries.items()}
    back = {
        (node.name, upper, lower)
        for pipeline in register_pipelines().values()
        for node in pipeline.nodes
        for upper, lower in product(floor.keys() & node.inputs, floor.keys() & node.outputs)
        if floor[upper] > floor[lower]
    }
    assert back == set()


@pytest.fixture(scope="module")
def server(finished_checkout):
    """The address of `kedro viz run` on the finished run."""
    with serving(finished_checkout, "kedro", "viz", "run", "--env=tiny", "--no-browser", probe="/api/main") as address:
        yield address


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
def opened(request, open_page):
    """The graph, fully drawn, in a window of 1440 pixels."""
    opened = open_page(request.getfixturevalue(request.param), 1440)
    for name in (*STAGES, "chest_xrays", "split_manifest", "pneumonia_model", "report"):
        node_of(opened.page, name).wait_for()
    yield opened
    opened.page.close()


@pytest.fixture
def page(opened):
    return opened.page


def node_of(page, name):
    return page.locator(".pipeline-node", has_text=re.compile(f"^{name}$"))


# Resolves once nodes, kinds and places were the same in this many frames; a transition moves them in every frame.
AT_REST = """frames => new Promise(resolve => {
    let former = "", same = 0;
    const look = () => {
        const nodes = [...document.querySelectorAll(".pipeline-node")];
        const now = nodes.map(n => n.textContent + n.classList + n.getBoundingClientRect().y).join();
        same = now === former ? same + 1 : 0;
        former = now;
        same < frames ? requestAnimationFrame(look) : resolve();
    };
    look();
})"""


def nodes_of(page, kind=""):
    """The distance of each node's middle from the top of the screen, in pixels, by name."""
    page.evaluate(AT_REST, 60)
    return page.locator(f".pipeline-node{kind}").evaluate_all(
        "nodes => Object.fromEntries(nodes.map(node => [node.textContent, node.getBoundingClientRect()])"
        ".map(([name, box]) => [name, box.y + box.height / 2]))"
    )


def click(page, name):
    node_of(page, name).dispatch_event("click")
    page.locator(".pipeline-metadata__title", has_text=re.compile(f"^{name}$")).wait_for()


def expand(page, stage, node):
    node_of(page, stage).dispatch_event("click")
    node_of(page, node).wait_for()


def width_of_preview(page):
    """The width of the picture in the preview, in its own pixels, once it has loaded."""
    page.wait_for_function("document.querySelector('.pipeline-metadata img')?.naturalWidth")
    return page.locator(".pipeline-metadata img").evaluate("image => image.naturalWidth")


@pytest.mark.slow
def test_each_stage_is_one_box_from_top_to_bottom(page):
    expect(page.locator(".pipeline-node--modularPipeline")).to_have_count(len(STAGES))
    boxes = nodes_of(page, ".pipeline-node--modularPipeline")
    assert sorted(boxes) == sorted(STAGES)
    assert nodes_of(page, ".pipeline-node--task") == {}

    heights = nodes_of(page)
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

    node_of(page, "inputs").wait_for(state="detached")
    expect(page.locator(".pipeline-node--task")).to_have_count(2)
    assert sorted(nodes_of(page, ".pipeline-node--task")) == ["draw_batch", "store_pixels"]


@pytest.mark.slow
def test_the_preview_of_a_figure_has_pixels(page):
    click(page, "training_curves_figure")

    assert width_of_preview(page) > 1000


@pytest.mark.slow
def test_the_preview_of_a_text_shows_it(page):
    texts = {"leak_audit": "manifest", "class_weights": "PNEUMONIA", "report": "Summary", "model_card": "Limits"}
    for dataset, text in texts.items():
        click(page, dataset)

        page.locator(".pipeline-metadata", has_text=text).wait_for()


@pytest.mark.slow
def test_nothing_of_our_origin_fails(opened):
    click(opened.page, "training_curves_figure")
    width_of_preview(opened.page)
    expand(opened.page, "evaluation", "compute_metrics")

    elsewhere = "https://fonts.googleapis.com/"  # kedro-viz's font, which needs a network
    assert [failure for failure in opened.failed if not failure.startswith(elsewhere)] == []
    assert [line for line in opened.said if line.startswith("error") and elsewhere not in line] == []


@pytest.mark.slow
def test_every_dataset_that_can_be_looked_at_has_a_preview(server):
    def ask(path):
        with urllib.request.urlopen(f"{server}/api/{path}") as answer:
            return json.load(answer)

    datasets = {node["name"]: node["id"] for node in ask("main")["nodes"] if node["type"] == "data"}
    assert {name for name, node in datasets.items() if not ask(f"nodes/{node}").get("preview")} == WITHOUT_PREVIEW
