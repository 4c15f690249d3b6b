"""The recipes of docs/extending.md, followed word for word, one after the other, in one copy of the project."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest
from tests.test_docs import PAGES, ROOT, fences

EXTENDING = PAGES["docs/extending.md"]
LEFT = shutil.ignore_patterns(".git", ".venv", "__pycache__", "node_modules", "build", "mlruns", "*.egg-info", "shared")
EVALUATION = "src/pneumonia/pipelines/evaluation/pipeline.py"
FIT = "tests/model/test_fit.py"
NOTHING_ELSE = "tests/test_house.py tests/test_imports.py tests/test_hooks.py tests/pipelines/test_conventions.py"
# What goes where, by recipe: file, the place as a pattern, and the text there. §0 is the first block of code of the
# recipe. At the end, the tests of what it touches.
RECIPES = {
    "Another network": (
        [
            ("src/pneumonia/model/networks.py", r"(?=@network\(any_size=False\)\ndef separable_cnn)", "§0\n\n\n"),
            ("tests/model/test_networks.py", r"(?<=^NETWORKS = \()", '"plain_cnn", '),
        ],
        "tests/model/test_networks.py tests/model/test_recipe.py tests/study/test_plan.py",
    ),
    "Another optimizer or loss": (
        [
            ("src/pneumonia/model/compiling.py", r"    optimizer = keras(?s:.*?)\n    \)\n", "    §0\n"),
            ("src/pneumonia/model/compiling.py", r"    kind = keras.losses.*\n.*\n", "    §1\n"),
        ],
        f"{FIT}::test_the_facts_of_a_training_are_known tests/model/test_recipe.py tests/pipelines/training "
        f"{FIT}::test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one "
        "tests/model/test_checkpoint.py",
    ),
    "Another augmentation": (
        [
            ("src/pneumonia/pixels/augmentation.py", r"(?=^def erase\()", "§0\n\n\n"),
            ("src/pneumonia/pixels/augmentation.py", r"(?=\}\nN_DRAWS)", '    "vignette": 1,\n'),
            ("src/pneumonia/pixels/augmentation.py", r"(?=    return tf\.cast\(tf\.round\(_clipped\(x\))", "    §1\n"),
            ("src/pneumonia/base/parameters.py", r"(?=    erase: Annotated)", "    §2\n"),
            ("conf/base/parameters_inputs.yml", r"(?=    erase: )", "    vignette: 0.3\n"),
            ("conf/notes/parameters.yml", r"(?=    erase: )", "    vignette: 0.0\n"),
            ("tests/pixels/test_augmentation.py", r"(?=\}\n\n\n@pytest)",
             '    "vignette": (1, lambda x, d: aug.vignette(x, d, 0.5)),\n'),
            ("tests/pixels/test_augmentation.py", r"(?=erase=0\.2,\n\))", "vignette=0.3, "),
        ],
        "tests/pixels/test_augmentation.py tests/base/test_parameters.py tests/model/test_checkpoint.py",
    ),
    "Another metric": (
        [("src/pneumonia/metrics/metrics.py", r"(?=@metric\(\"mcc\")", "§0\n\n\n")],
        "tests/metrics tests/pipelines/evaluation tests/pipelines/comparison",
    ),
    "A node with a dataset and a section of the report": (
        [
            ("src/pneumonia/metrics/breakdowns.py", r"(?=^def is_grey)", "§0\n\n\n"),
            (EVALUATION, r"(?=^ +node\(breakdowns\.count_etiologies)", "        §1,\n"),
            ("src/pneumonia/report/material.py", r"(?=^    class_counts: )", "    confident_errors: pd.DataFrame\n"),
            ("conf/base/catalog_evaluation.yml", r"(?=^strata:)", "§2\n"),
            ("src/pneumonia/report/templates/report.html", r"(?=^<section id=\"shortcuts\">)", "§3\n\n"),
            ("tests/metrics/test_breakdowns.py", r"(?=^def predictions)", "§4\n\n\n"),
            ("tests/metrics/test_breakdowns.py", r"(?<=breakdowns import \()", "\n    count_confident_errors,"),
        ],
        "tests/metrics/test_breakdowns.py tests/pipelines/evaluation tests/test_viz.py",
    ),
}  # fmt: skip


def follow(folder, heading, steps):
    """Do what a recipe says."""
    section = EXTENDING.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = [body.rstrip("\n") for language, body in fences(section) if language != "bash"]
    assert {int(number) for _, _, text in steps for number in re.findall(r"§(\d)", text)} == set(range(len(blocks)))
    for name, place, text in steps:
        path = folder / name
        filled = re.sub(r"( *)§(\d)", lambda found: textwrap.indent(blocks[int(found[2])], found[1]), text)
        content, times = re.subn(place, lambda _, filled=filled: filled, path.read_text("utf-8"), flags=re.MULTILINE)
        assert times == 1, (name, place)
        path.write_text(content, encoding="utf-8")


def work(folder, *words):
    """Run Python in the copy, on the copy's code."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "TF_CPP_MIN_LOG_LEVEL": "2", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project in which all recipes were followed."""
    copy = shutil.copytree(ROOT, tmp_path_factory.mktemp("recipes") / "copy", ignore=LEFT)
    for heading, (steps, _) in RECIPES.items():
        follow(copy, heading, steps)
    work(copy, "docs/parameters.py")
    return copy


def test_every_recipe_with_code_is_followed():
    headings = re.findall(r"^## (.+)$", EXTENDING, re.MULTILINE)
    assert [heading for heading in headings if heading in RECIPES] == list(RECIPES)
    assert "```" not in "".join(EXTENDING.split(f"\n## {heading}\n")[1].split("\n## ")[0] for heading in headings
                                if heading not in RECIPES)  # fmt: skip


@pytest.mark.slow
def test_the_suite_stays_green_where_the_recipes_are_followed(copy):
    tests = dict.fromkeys(" ".join([NOTHING_ELSE, *(tests for _, tests in RECIPES.values())]).split())

    said = work(copy, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests)
    assert " passed" in said


@pytest.mark.slow
def test_a_run_shows_what_the_recipes_added(copy):
    catalog = copy / "conf/demo/catalog.yml"
    catalog.write_text(re.sub(r"n_images: \d+", "n_images: 120", catalog.read_text("utf-8")), encoding="utf-8")
    settings = "model.name=plain_cnn,training.epochs=1,inputs.image_size=32,training.image_scale=1.0,"
    settings += "evaluation.resamples=200,evaluation.robustness=false,evaluation.framing_images=0"

    work(copy, "-m", "kedro", "run", "--env=demo", f"--params={settings}")
    results = copy / "data/demo"
    (lineage, metrics, errors, report) = (
        next(results.glob(place)).read_text("utf-8")
        for place in ("06_models/model_lineage.json/*/*", "08_reporting/metrics.json/*/*",
                      "08_reporting/confident_errors.csv/*/*.csv", "08_reporting/report.html/*/*")
    )  # fmt: skip
    assert "plain_cnn" in lineage
    assert "SGD(" in lineage
    assert "FocalCrossentropy(" in lineage
    assert "vignette" in lineage
    assert 0 <= json.loads(metrics)["test"]["jaccard"]["value"] <= 1
    assert errors.startswith("split,label,errors,confident\n")
    assert '<section id="errors">' in report
    assert "Jaccard index" in report
    row = "| `inputs.augmentation.vignette` | `0.3` | share | Largest share by which the corners are darkened |"
    assert row in (copy / "docs/parameters.md").read_text("utf-8")
