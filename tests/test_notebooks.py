"""The notebooks: stored without outputs, and run from the first cell to the last on a run's data."""

import ast
import base64
import io
import json
import shutil
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
# What the last line of a cell begins with if the cell shows a picture.
DRAWS = ("Image(", "show_images(", "draw_")
# The settings of the notebook that trains, and with what it is tried.
LONG, SHORT = "inputs.image_size=128,training.epochs=6", "inputs.image_size=32,training.epochs=1"


def read_code(path):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def execute(path, n_cells=None):
    """Execute the first cells of a notebook in its folder, and return them."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"][:n_cells]
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    return notebook.cells


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


def pictures(cell):
    from PIL import Image

    found = [output["data"]["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return [Image.open(io.BytesIO(base64.b64decode(png))) for png in found]


def test_there_are_three_notebooks():
    assert [path.name for path in NOTEBOOKS] == ["01_images.ipynb", "02_model.ipynb", "03_course.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path):
    assert [cell["id"] for cell in read_code(path) if cell["outputs"] or cell["execution_count"] is not None] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_imports_exists(path):
    for cell in read_code(path):
        lines = ["" if line.startswith("%") else line for line in cell["source"]]
        body = ast.parse("".join(lines)).body
        imports = [part for part in body if isinstance(part, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, type_ignores=[]), path.name, "exec"), {})


def test_the_settings_that_are_made_small_are_in_the_notebook_that_trains():
    assert LONG in NOTEBOOKS[2].read_text(encoding="utf-8")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_asks_for_no_kernel_of_one_machine(path):
    assert json.loads(path.read_text())["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_that_this_is_no_medical_device(path):
    first = "".join(json.loads(path.read_text())["cells"][0]["source"])
    assert "research software, not a medical device" in " ".join(first.split())


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end_and_shows_its_pictures(path, finished_checkout, monkeypatch):
    monkeypatch.setenv("KEDRO_ENV", "tiny")
    folder = finished_checkout / "notebooks"
    folder.mkdir(exist_ok=True)
    copy = folder / path.name
    short = f"images=data/tiny/01_raw/chest_xray,{SHORT}"
    copy.write_text(path.read_text(encoding="utf-8").replace(LONG, short), encoding="utf-8")
    cells = execute(copy)

    drawing = [cell for cell in cells if cell.source.splitlines()[-1].startswith(DRAWS)]
    assert len(drawing) >= 5
    for cell in drawing:
        (picture,) = pictures(cell)
        assert min(picture.size) > 250, cell.source
        assert picture.convert("L").getextrema()[0] < 100, cell.source


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "root"), [(None, "data"), ("demo", "data/demo")])
def test_the_environment_is_the_one_in_kedro_env(environment, root, project, copy_project, tmp_path, monkeypatch):
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    if environment:
        monkeypatch.setenv("KEDRO_ENV", environment)
    folder = copy_project(tmp_path / "checkout")
    (folder / "notebooks").mkdir()
    cells = execute(Path(shutil.copy(NOTEBOOKS[0], folder / "notebooks")), n_cells=2)

    assert printed(cells[1]) == f"Looking at {root} of {folder}\n"
