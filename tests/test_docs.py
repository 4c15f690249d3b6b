"""What README.md, CONTRIBUTING.md, CHANGELOG.md and docs/*.md say is so: commands, paths, names, defaults, links.

A command in a bash block, or in backticks with two words or more, is run on a tiny set of generated images; where
another command runs the same nodes on the same images, it is run up to the first node. One that opens a server,
installs or builds is only looked up. A command of any other kind fails.
"""

import argparse
import ast
import contextlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
import types
import typing
from functools import cache
from itertools import count, pairwise, takewhile
from pathlib import Path

import numpy as np
import pytest
import yaml
from kedro.runner import SequentialRunner
from PIL import Image
from tests.conftest import kedro, python, succeed
from tests.tiny_network import register_tiny_network

from pneumonia.base.errors import UserError

ROOT = Path(__file__).parents[1]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in
         sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])}  # fmt: skip
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
IN_REPOSITORY = re.compile(r"(\.ci|\.github|benchmarks|conf|data|docs|notebooks|src|tests)/\S*")
# Of src/pneumonia.
IN_PACKAGE = re.compile(r"(images|split|pixels|model|metrics|audits|report|pipelines)/\S+\.(py|html)")
# What is said to be in a file.
DEFINED = re.compile(r"((?:`\w+`(?:, | and )?)+) in `([\w/]+\.py)`")
GROUPS = "ingest|labels|imbalance|inputs|model|training|evaluation|prediction|report|external|adaptation|mlflow"
EVERYTHING = "kedro run --params=images=PATH"
TINY = {
    "training": {"epochs": 1, "batch_size": 16, "image_scale": 1.0},
    "inputs": {"image_size": 32},
    "evaluation": {"resamples": 200, "robustness": False, "framing_images": 0, "train_images": 20, "gallery_images": 1},
    "study": {
        "recipes": [{"name": "a", "changes": {}}, {"name": "b", "changes": {"training.learning_rate": 0.001}}],
        "seeds": [0],
        "folds": 1,
    },
    "adaptation": {"epochs": 1, "images": 32, "folds": 2, "curve_groups": [4], "curve_draws": 1},
    "engine": {"pool": "threads"},
}
# Numbers that take long, and with what they are tried.
SMALL = {
    "training.seed": 2,
    "training.epochs": 2,
    "inputs.image_size": 48,
    "adaptation.epochs": 2,
    "adaptation.images": 48,
}
# What a command needs that its page says before it, by a part of the command.
NEEDS = {
    "--pipelines=prediction --params=images=PATH --env=demo": "kedro run --env=demo",
    "prediction.place": "kedro run --pipelines=adaptation --env=demo",
}
# Commands up to the first node, and those that run all their nodes on the same kind of images.
RUN_BY = {
    "kedro run": EVERYTHING,
    "kedro run --from-nodes=training.make_recipe": EVERYTHING,
    "kedro run --params=images=PATH,report.source=kermany,training.seed=S": EVERYTHING,
    "kedro run --params=images=PATH,training.seed=1": EVERYTHING,
    "kedro run --params=images=PATH,training.seed=1,training.epochs=60": EVERYTHING,
    "kedro run --params=training.epochs=5,inputs.image_size=160": EVERYTHING,
    "kedro run --pipelines=evaluation": EVERYTHING,
    "kedro run --pipelines=evaluation --load-versions=pneumonia_model:V": EVERYTHING,
    "kedro run --pipelines=training --params=images=PATH": EVERYTHING,
    "kedro run --pipelines=training --params=images=PATH,training.epochs=30": EVERYTHING,
    "kedro run --pipelines=training --tags=training --load-versions=split_manifest:V,class_weights:V": EVERYTHING,
    "kedro run --tags=evaluation": EVERYTHING,
    "kedro run --tags=report": EVERYTHING,
    "kedro run --to-nodes=inputs.draw_batch": EVERYTHING,
    "kedro run --pipelines=adaptation --params=images=FOLDER":
        "kedro run --pipelines=adaptation --params=images=PATH",
    "kedro run --pipelines=adaptation --params=images=PATH --load-versions=pneumonia_model:V":
        "kedro run --pipelines=adaptation --params=images=PATH",
    "kedro run --pipelines=export --load-versions=pneumonia_model:V": "kedro run --pipelines=export",
    # A network of these tests ranks images no better than chance, so what is fitted for a place is refused.
    "kedro run --pipelines=prediction --params=images=PATH,prediction.place=second_hospital --env=demo":
        "kedro run --pipelines=prediction --params=images=PATH --env=demo",
    "kedro run --pipelines=study --env=demo": "kedro run --pipelines=study --params=images=PATH",
    # The images of these tests have no numbers that put them in an order.
    "kedro run --pipelines=study "
    "--params=images=PATH,study.folds=blocks,training.epochs=24,evaluation.robustness_images=300":
        "kedro run --pipelines=study --params=images=PATH",
}  # fmt: skip
ALL_IS_THERE = "All inputs are there."


def fences(text):
    """Return language and content of each code block."""
    return [(language, textwrap.dedent(body)) for _, language, body in FENCE.findall(text)]


def inline_code(text):
    """Return what is in backticks outside code blocks."""
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", FENCE.sub("", text))]


def commands(text):
    """Return the commands of a page, without comments."""
    lines = [line.split(" #")[0].strip() for language, body in fences(text) if language == "bash"
             for line in body.replace("\\\n", " ").splitlines()]  # fmt: skip
    return [line for line in lines if line and not line.startswith("#")] + [
        code for code in inline_code(text) if re.match(r"[a-z][\w.-]+ (/?\w|[.-])", code)
    ]


COMMANDS = sorted({command for text in PAGES.values() for command in commands(text)})
# Those of an earlier model come late: after its evaluation, what was evaluated last is not the newest. Last is what
# removes versions.
RUNS = sorted(
    (command for command in COMMANDS if command.startswith(("kedro run", "kedro versions"))),
    key=lambda command: (command.startswith("kedro versions"), "--load-versions" in command),
)


def start(words, folder):
    """Run a program of this environment and return its output; fail if it fails.

    What imports TensorFlow or Kedro does so in this process, where they are imported once for all.
    """
    if words[0] == "kedro":
        return succeed(folder, *words[1:], answers="y\n").stdout
    if words[0] == "python" and words[1] != "-m":
        return succeed(folder, *words[1:], by=python).stdout
    bin_folder = Path(sys.executable).parent
    process = subprocess.run(
        [bin_folder / words[0] if (bin_folder / words[0]).exists() else words[0], *words[1:]],
        cwd=folder, capture_output=True, text=True, input="y\n",
        env={**os.environ, "NO_COLOR": "1", "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert process.returncode == 0, f"{words}\n{process.stdout[-2000:]}{process.stderr[-3000:]}"
    return process.stdout


def help_lists_options(words, folder):
    """The command exists, and its help names each option that is used."""
    program = words[:3] if words[1] == "-m" else list(takewhile(lambda word: not word.startswith("-"), words))
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= options_of(tuple(program), folder)


@cache
def options_of(program, folder):
    """The options in a program's help."""
    return set(re.findall(r"--[\w-]+", start([*program, "--help"], folder)))


def look_up_docker(words, folder):
    """Without a daemon: an image is built from the checkout, and run with options that its program has."""
    if words[1] == "build":
        assert words == ["docker", "build", "--tag=pneumonia", "."]
        assert (folder / "Dockerfile").is_file()
    else:
        options, arguments = words[2 : words.index("pneumonia")], words[words.index("pneumonia") + 1 :]
        assert words[1] == "run"
        assert {option.split("=")[0] for option in options} <= {"--rm", "--volume"}
        help_lists_options(["python", "-m", "pneumonia", *arguments], folder)


def look_up_kedro(words, folder):
    if words[1] == "jupyter":  # whose own help needs JupyterLab
        assert words[2] in start(["kedro", "jupyter", "--help"], folder)
    elif words[1] in ("viz", "ipython", "package", "server"):
        help_lists_options(words if words[1:] != ["viz"] else ["kedro", "viz", "run"], folder)
    else:
        start(words, folder)


def look_up_airflow(words, folder):
    """Airflow is in no environment of this project: the DAG of the page is named."""
    assert words[:3] == ["airflow", "dags", "test"]
    assert f'DAG("{words[3]}"' in airflow_file()


def look_up_dask(words, folder):
    """The address of a scheduler comes before the options."""
    help_lists_options([word for word in words if not word.startswith("tcp:")], folder)


def look_up_make(words, folder):
    targets = re.findall(r"^([\w.-]+):", (folder / "Makefile").read_text(), re.MULTILINE)
    assert words[1:]
    assert set(words[1:]) <= set(targets)


def look_up_pip(words, folder):
    assert words[1] == "install"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    *options, what = words[2:]
    if options[:1] == ["-c"]:
        assert (folder / options[1]).is_file()
        options = options[2:]
    assert options in ([], ["-e"])
    place = r"\." if options else rf"pneumonia-{re.escape(project['version'])}-py3-none-any\.whl"
    assert (named := re.fullmatch(rf"{place}(?:\[([\w,]+)\])?", what))
    assert set((named[1] or "dev").split(",")) <= set(project["optional-dependencies"])


def look_up_python(words, folder):
    if words[1] == "-c":
        start(words, folder)
    elif words[1] == "predict.py":  # lies beside an exported model; tests/export runs it
        assert (folder / "src/pneumonia/export/templates/predict.py").is_file()
    else:
        assert words[1] == "-m" or words[1].endswith(".py")
        help_lists_options(words, folder)


def look_up_pytest(words, folder):
    settings = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    options = argparse.ArgumentParser(exit_on_error=False)
    options.add_argument("-m", choices=[marker.split(":")[0] for marker in settings["markers"]])
    options.add_argument("paths", nargs="*", type=Path)
    assert all((folder / path).exists() for path in options.parse_args(words[1:]).paths)


def look_up_activation(words, folder):
    """The file that `make install` makes is sourced; it may be missing here, so the Makefile is looked at instead."""
    assert words[1:] == [".venv/bin/activate"]
    assert "BIN := .venv/bin" in (folder / "Makefile").read_text()


LOOK_UP = {
    ".": look_up_activation,
    "airflow": look_up_airflow,
    "dask": look_up_dask,
    "docker": look_up_docker,
    "kedro": look_up_kedro,
    "make": look_up_make,
    "mlflow": help_lists_options,
    "pip": look_up_pip,
    "python": look_up_python,
    "pytest": look_up_pytest,
    "pre-commit": help_lists_options,
    "tensorboard": help_lists_options,
}


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in RUNS])
def test_a_command_that_is_no_run_exists(command):
    words = shlex.split(command)
    assert words[0] in LOOK_UP, f"tests/test_docs.py does not know how to try: {command}"
    LOOK_UP[words[0]](words, ROOT)


def options_and_nodes(command):
    """Return the options of a run by name, and the part of the pipeline that it runs."""
    from kedro.framework.cli.project import run

    from pneumonia.pipeline_registry import register_pipelines

    given = run.make_context("run", shlex.split(command)[2:]).params
    pipeline = register_pipelines()[given["pipeline"] or next(iter(given["pipelines"] or ["__default__"]))]
    return given, pipeline.filter(
        tags=given["tags"] or None, from_nodes=given["from_nodes"] or None, to_nodes=given["to_nodes"] or None
    )


@pytest.mark.parametrize("command", [command for command in RUNS if command.startswith("kedro run")])
def test_a_run_names_pipelines_nodes_tags_datasets_and_parameters_that_exist(command, default_parameters):
    given, part = options_and_nodes(command)
    assert part.nodes
    assert set(given["load_versions"]) <= part.datasets()
    assert given["env"] is None or (ROOT / "conf" / given["env"]).is_dir()
    names = {"images" if name.startswith("images.") else name for name in flat(given["params"])}
    assert names <= set(flat(default_parameters))


@pytest.mark.parametrize(("command", "runner"), RUN_BY.items())
def test_the_nodes_of_a_run_that_stops_before_them_are_run_by_another(command, runner):
    assert command in RUNS
    assert runner in set(RUNS) - set(RUN_BY)
    assert set(options_and_nodes(command)[1].nodes) <= set(options_and_nodes(runner)[1].nodes)


@pytest.mark.parametrize("page", PAGES)
def test_no_command_is_written_in_a_way_that_kedro_gives_up(page):
    assert "--pipeline=" not in PAGES[page]


class UpToTheFirstNode(SequentialRunner):
    """Loads what the nodes read of parameters, images and earlier runs, and looks up what they save; runs none."""

    def run(self, pipeline, catalog, *_, **__):
        assert pipeline.nodes
        for name in pipeline.inputs():
            catalog.load(name)
        assert all(catalog.get(name) is not None for name in pipeline.all_outputs())
        raise UserError(ALL_IS_THERE)  # so that nobody takes the run for a finished one


@pytest.fixture(scope="session")
def documented(tmp_path_factory, copy_project):
    """A checkout with tiny images and settings, and a function that runs a command in it once.

    The settings are where a user puts them, so that commands run as they are written, except that PATH (images of the
    project), FOLDER (images from elsewhere), V and S are filled in, and `made_small`. Those in `RUN_BY` run no node.
    """
    from pneumonia.demo.images import write_demo_images

    folder = copy_project(tmp_path_factory.mktemp("docs") / "checkout")
    write_demo_images(folder / "data/01_raw/chest_xray", 60)
    write_medmnist(folder / "data/01_raw/chest_xray", 28)
    write_demo_images(folder / "data/01_raw/elsewhere", 60, seed=1)
    numbers = count(1)
    network = {"model": {"name": register_tiny_network()}}
    for environment, changes in (("local", TINY | network), ("demo", TINY | network), ("notes", TINY)):
        parameters = folder / "conf" / environment / "parameters.yml"
        given = yaml.safe_load(parameters.read_text()) if parameters.exists() else {}
        parameters.write_text(yaml.safe_dump({**given, **{k: given.get(k, {}) | v for k, v in changes.items()}}))
    catalog = folder / "conf/demo/catalog.yml"
    catalog.write_text(re.sub(r"n_images: \d+", "n_images: 60", catalog.read_text()))

    def try_command(command):
        """Run a command, filled in and made small, unless it was."""
        if command != EVERYTHING:
            try_command(EVERYTHING)
        for part, needed in NEEDS.items():
            if part in command:
                try_command(needed)
        run_once(command)

    @cache
    def run_once(command):
        words = fill_in(made_small(command), find_images(command))
        if command in RUN_BY:
            ended = kedro(folder, *words[1:], f"--runner={__name__}.{UpToTheFirstNode.__name__}")
            assert ended.stderr.splitlines()[-1] == f"Error: {ALL_IS_THERE}", ended.stderr[-3000:]
        else:
            start(words, folder)

    def fill_in(command, images):
        models = (folder / "data/06_models/pneumonia_model.keras").glob("*")
        first = min((path.name for path in models), default="")
        command = re.sub(r"([:=/])(V|VERSION)\b", rf"\g<1>{first}", command)
        command = command.replace("=PATH", f"={images}").replace("=FOLDER", f"={folder / 'data/01_raw/elsewhere'}")
        return shlex.split(command)

    def find_images(command):
        """Return a folder of images that a command takes for PATH."""
        raw = folder / "data/01_raw"
        if re.search("=(adaptation|external)", command):  # of images that the model does not know
            images = raw / f"hospital_{next(numbers)}"
            write_demo_images(images, 60, seed=1 + int(images.name.rpartition("_")[2]))
            return images
        if preset := re.search(r"labels\.preset=(\w+)", command):
            return write_published(raw / preset[1], preset[1], raw / "chest_xray")
        if "class_names=healthy/sick" in command:
            for label, name in (("NORMAL", "healthy"), ("PNEUMONIA", "sick")):
                (raw / "other_names" / name).mkdir(parents=True)
                for path in (raw / "chest_xray").rglob(f"{label}/*.jp*g"):
                    shutil.copy(path, raw / "other_names" / name)
            return raw / "other_names"
        return raw / "chest_xray"

    return folder, try_command


# What differs from others in how images are found and named ends with the split, in how they are decoded with pixels,
# in how a network is trained with the network.
ENDS = {
    r"preset=|class_names=|images\.\w+=": "--pipelines=ingest",
    "pneumoniamnist": "--to-nodes=inputs.draw_batch",
    "tensorboard=": "--pipelines=training",
}


def made_small(command):
    """Return a command with small numbers, which ends with what sets it apart from others."""
    for name, number in SMALL.items():
        command = re.sub(rf"\b{re.escape(name)}=(\d+|S)\b", f"{name}={number}", command)
    if "--pipelines=" in command:
        return command
    return " ".join([command, *(end for part, end in ENDS.items() if re.search(part, command))])


def write_medmnist(folder, side):
    """Write the images of a folder as a `pneumoniamnist.npz` beside them."""
    arrays = {}
    for split in ("train", "val", "test"):
        files = sorted((folder / split).rglob("*.jp*g"))
        images = [Image.open(path).convert("L").resize((side, side)) for path in files]
        arrays[f"{split}_images"] = np.array(images, np.uint8).reshape(-1, side, side)
        arrays[f"{split}_labels"] = np.array([[path.parent.name == "PNEUMONIA"] for path in files], np.uint8).reshape(
            -1, 1
        )
    np.savez_compressed(folder / "pneumoniamnist.npz", **arrays)


# Name of the table, its head, and a row by name, patient and label, as the publisher of a set of images writes it.
PUBLISHED = {
    "nih": ("Data_Entry_2017.csv", "Image Index,Finding Labels,Patient ID", "{name},{finding},{patient}"),
    "rsna": ("stage_2_train_labels.csv", "patientId,x,y,width,height,Target", "{stem},,,,,{label}"),
    "chexpert": (
        "train.csv", "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Pneumonia",
        "CheXpert-v1.0-small/train/patient{patient}/study1/{name},Male,70,Frontal,PA,,{label}",
    ),
}  # fmt: skip


def write_published(folder, preset, images):
    """Write the images of another folder with a publisher's table of labels; return the folder."""
    table, head, row = PUBLISHED[preset]
    rows = []
    for patient, path in enumerate(sorted(images.rglob("*.jp*g"))):
        is_ill = path.parent.name == "PNEUMONIA"
        words = {"patient": patient, "label": int(is_ill), "finding": "Pneumonia" if is_ill else "No Finding"}
        rows.append(row.format(name=path.name, stem=path.stem, **words))
        target = folder / (rows[-1].split(",")[0].partition("/")[2] if preset == "chexpert" else path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (folder / table).write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNS)
def test_a_run_succeeds(documented, command):
    documented[1](command)


@pytest.mark.slow
def test_what_a_run_is_said_to_leave_is_there(documented):
    folder, try_command = documented
    environments = ("kedro run --env=demo", "kedro run --env=notes --params=images=PATH")
    names = ("prediction", "external", "adaptation", "study")
    elsewhere = [f"kedro run --pipelines={name} --params=images=PATH" for name in names]
    for command in (EVERYTHING, *environments, "kedro run --pipelines=export", *elsewhere):
        assert command in RUNS
        try_command(command)
    said = {code for text in PAGES.values() for code in inline_code(text) if code.startswith("data/")}
    assert "data/08_reporting/metrics.json/<version>/metrics.json" in said
    missing = {path for path in said if not list(folder.glob(re.sub("<[^>]*>", "*", path).rstrip("/")))}
    assert missing == set()


@pytest.mark.parametrize("page", PAGES)
def test_paths_in_backticks_exist(page):
    trees = [
        line.split()[0] for language, body in fences(PAGES[page]) if language == "text" for line in body.splitlines()
    ]
    codes = {re.sub("<[^>]*>", "*", code) for code in [*inline_code(PAGES[page]), *trees]}
    paths = {code for code in codes if IN_REPOSITORY.fullmatch(code)}
    paths |= {f"src/pneumonia/{code}" for code in codes if IN_PACKAGE.fullmatch(code)}
    made_by_users = {path for path in paths if path.startswith(("data/", "conf/local/"))}
    assert {path for path in paths - made_by_users if not list(ROOT.glob(path.rstrip("/")))} == set()


@pytest.mark.parametrize("page", PAGES)
def test_what_is_said_to_be_in_a_file_is_defined_there(page):
    for names, path in DEFINED.findall(" ".join(PAGES[page].split())):
        file = ROOT / path if IN_REPOSITORY.fullmatch(path) else ROOT / "src/pneumonia" / path
        module = ast.parse(file.read_text(encoding="utf-8"))
        defined = {getattr(part, "name", None) for part in module.body}
        defined |= {getattr(target, "id", None) for part in module.body for target in getattr(part, "targets", [])}
        defined |= {part.target.id for part in module.body if isinstance(part, ast.AnnAssign)}
        assert set(re.findall(r"\w+", names.replace(" and ", " "))) <= defined, path


def test_each_step_of_the_course_names_what_does_it():
    steps = re.findall(r"^\| (\d+) \| (.+)$", PAGES["docs/course.md"], re.MULTILINE)

    assert [int(number) for number, _ in steps] == list(range(1, 23))
    assert all(DEFINED.search(step) for _, step in steps)


def test_readme_leads_to_the_course_first():
    assert re.search(r"^More: .*?\]\((.+?)\)", PAGES["README.md"], re.MULTILINE)[1] == "docs/course.md"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", PAGES[page])):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES)
def test_code_blocks_are_of_a_kind_that_is_tested(page):
    for language, body in fences(PAGES[page]):
        assert language in ("bash", "html", "mermaid", "python", "text", "yaml"), body
        if language == "python":
            ast.parse(body)
        if language == "yaml":
            yaml.safe_load(re.sub(r"\*\w+", "{}", body))  # without anchors that are elsewhere in the file


@pytest.mark.parametrize("page", PAGES)
def test_parameters_and_nodes_in_backticks_exist(page, default_parameters):
    from pneumonia.pipeline_registry import register_pipelines

    known = {node.name for node in register_pipelines()["__default__"].nodes} | set(flat(default_parameters))
    files = {"labels.csv", "model.json", "model.onnx", "model.tflite"}  # named like parameters
    groups = {name.rpartition(".")[0] for name in known} | files
    named = [re.fullmatch(rf"((?:{GROUPS})\.[a-z_.]+)(?:[=:].*)?", code) for code in inline_code(PAGES[page])]
    assert {match[1] for match in named if match} <= known | groups


def test_the_page_of_parameters_has_each_with_its_default(default_parameters):
    rows = re.findall(r"^\| `([\w.]+)` \| `(.+?)` \| (.+?) \| (.+) \|$", PAGES["docs/parameters.md"], re.MULTILINE)

    assert {name: yaml.safe_load(default.replace("\\|", "|")) for name, default, *_ in rows} == flat(default_parameters)
    assert len({name for name, *_ in rows}) == len(rows)


@pytest.fixture(scope="module")
def parameter_texts():
    spec = importlib.util.spec_from_file_location("parameter_texts", ROOT / "docs/parameters.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_parameters_is_written_from_their_models(parameter_texts, default_parameters):
    page = PAGES["docs/parameters.md"]

    assert parameter_texts.write_page(page, default_parameters) == page, "run: make parameters"


@pytest.mark.parametrize("path", sorted(ROOT.glob("conf/base/parameters*.yml")), ids=lambda path: path.name)
def test_the_comments_on_parameters_are_written_from_their_models(parameter_texts, path):
    text = path.read_text(encoding="utf-8")

    assert parameter_texts.write_comments(text) == text, "run: make parameters"


def test_comments_are_put_in_place_of_others_and_values_stay(parameter_texts):
    text = "training:\n  # Old.\n  seed: 0\n\n  # Mine.\n\n  batch_size: 16 # old\n"

    assert parameter_texts.write_comments(text) == (
        "# How the network is trained.\ntraining:\n"
        "  # Seed of the initial weights, the order of the images and their random changes. [integer]\n"
        "  seed: 0\n\n  # Mine.\n\n"
        "  # Images per step. [images]\n  batch_size: 16\n"
    )


def test_every_parameter_is_described_with_its_unit_or_choices():
    rows = re.findall(r"^\| `([\w.]+)` \| `.+?` \| (.*?) \| (.*) \|$", PAGES["docs/parameters.md"], re.MULTILINE)

    assert [name for name, unit, meaning in rows if not unit or len(meaning.split()) < 2] == []


def test_the_page_of_parameters_has_all_choices():
    from pneumonia.base.parameters import Group, Parameters

    def choices(group, prefix=""):
        for name, field in group.model_fields.items():
            if typing.get_origin(field.annotation) is typing.Literal:
                yield prefix + name, set(typing.get_args(field.annotation))
            elif isinstance(field.annotation, type) and issubclass(field.annotation, Group):
                yield from choices(field.annotation, f"{prefix}{name}.")

    rows = re.findall(r"^\| `([\w.]+)` \| `.+?` \| (.+?) \|", PAGES["docs/parameters.md"], re.MULTILINE)
    said = {name: set(re.findall(r"`(\w+)`", values)) for name, values in rows if "`" in values}
    assert said == dict(choices(Parameters))


def test_readme_says_in_a_sentence_each_where_to_change_what():
    (section,) = re.findall(r"^## Where to change what\n(.*?)^\w", PAGES["README.md"], re.MULTILINE | re.DOTALL)
    entries = [" ".join(entry.split()) for entry in section.split("\n- ")[1:]]

    assert [re.match(r"\*\*(.+?)\*\*: ", entry)[1] for entry in entries] == [
        "Image size", "Network", "Optimizer", "Loss", "Class weights", "Shuffle, batch, prefetch", "Labels",
        "Threshold", "Split ratio", "Metric", "Source of the images",
    ]  # fmt: skip
    for entry in entries:
        assert entry.endswith(".")
        assert ". " not in entry
        files = [code for code in inline_code(entry) if IN_REPOSITORY.fullmatch(code)]
        text = "".join((ROOT / path.replace("/local/", "/base/")).read_text() for path in files)
        names = [code.rpartition(".")[2] for code in inline_code(entry) if code not in files]
        assert files
        assert names
        assert all(re.search(rf"\b{name}\b", text) for name in names), entry


def test_readme_names_the_commands_for_the_graph_and_the_notebooks():
    code = " ".join(body for language, body in fences(PAGES["README.md"]) if language == "bash")

    for command in ("kedro viz", "make viz", "make site", '".[notebooks]"', "kedro jupyter lab --env=demo"):
        assert command in code


def test_the_korean_readme_has_the_commands_of_readmes_first_sections():
    first = PAGES["README.md"].split("## Notebooks")[0]

    assert commands(PAGES["README.ko.md"]) == commands(first)
    assert len(commands(first)) > 10


def test_readme_calls_what_was_measured_on_validation_optimistic():
    results = " ".join(PAGES["README.md"].split("## Results")[1].split("## ")[0].split())

    assert "| validation, corrupted in" in results
    assert "everything measured on validation is optimistic" in results


def test_the_diagram_of_the_readme_is_that_of_the_pipelines():
    from pneumonia.pipelines import evaluation, imbalance, ingest, inputs, training

    (diagram,) = [body for language, body in fences(PAGES["README.md"]) if language == "mermaid"]
    names = dict(re.findall(r"(\w+)\[\((.+?)\)\]", diagram))
    drawn = set()
    for line in diagram.splitlines()[1:]:
        chain = [re.match(r"\w+", part.strip())[0] for part in line.split("-->")]
        drawn |= set(pairwise(chain))

    stages = {"ingest": ingest, "imbalance": imbalance, "inputs": inputs, "training": training,
              "evaluation": evaluation}  # fmt: skip
    expected = set()
    for stage, module in stages.items():
        pipeline = module.create_pipeline()
        for key, datasets in names.items():
            if set(datasets.split(", ")) & pipeline.inputs():
                expected.add((key, stage))
            if set(datasets.split(", ")) & pipeline.all_outputs():
                expected.add((stage, key))
    assert drawn == expected


def airflow_file():
    """The file of docs/deployment.md that makes each stage a task of Airflow."""
    (code,) = [body for language, body in fences(PAGES["docs/deployment.md"]) if "airflow" in body]
    return code


class Task:
    """What Airflow makes of an operator; `before` has all that must have ended before it."""

    def __init__(self, task_id, bash_command):
        self.name, self.command, self.before = task_id, bash_command, set()
        TASKS.append(self)

    def __rshift__(self, others):
        for other in others if isinstance(others, list) else [others]:
            other.before |= {self.name, *self.before}
        return others

    def __rrshift__(self, others):
        for other in others:
            other >> self
        return self


TASKS: list[Task] = []


def test_the_file_for_airflow_runs_each_stage_after_those_that_it_reads(monkeypatch):
    from pneumonia.pipeline_registry import register_pipelines

    whole = register_pipelines()["__default__"]
    sdk = types.SimpleNamespace(DAG=lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setitem(sys.modules, "airflow.sdk", sdk)
    operators = types.SimpleNamespace(BashOperator=Task)
    monkeypatch.setitem(sys.modules, "airflow.providers.standard.operators.bash", operators)
    for package in (
        "airflow",
        "airflow.providers",
        "airflow.providers.standard",
        "airflow.providers.standard.operators",
    ):
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    TASKS.clear()
    exec(compile(airflow_file(), "dag", "exec"), {})

    stages = {task.name: whole.filter(node_namespaces=[task.name]) for task in TASKS}
    assert sum(len(stage.nodes) for stage in stages.values()) == len(whole.nodes)
    for task in TASKS:
        given, _ = options_and_nodes(task.command.rpartition(".venv/bin/")[2])
        makers = {name for name, stage in stages.items() if stage.all_outputs() & stages[task.name].inputs()}
        assert (given["namespaces"], makers - task.before) == ([task.name], set())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```bash\nkedro run   # all\n\n# a remark\nmake demo\n```\n", ["kedro run", "make demo"]),
        ("1. so:\n\n   ```bash\n   kedro run \\\n     --env=demo\n   ```\n", ["kedro run    --env=demo"]),
        ("Say `kedro\nviz` or `rm -r data`, not `kedro`, `n / 2`, `a: b` or `An Error`.", ["kedro viz", "rm -r data"]),
    ],
)
def test_commands_are_found_in_blocks_and_in_backticks(text, found):
    assert commands(text) == found


@pytest.mark.parametrize(
    "command",
    [
        "kedro vis",
        "kedro catalog destroy",
        "kedro viz run --colour=red",
        "make coffee",
        "pip install -c constraints.txt -e '.[everything]'",
        "pip install -c no_such_file.txt -e '.[dev]'",
        "pip install pneumonia-9.9.9-py3-none-any.whl",
        "python -m pneumonia --colour=red",
        "python -m no_such_module --help",
        "docker run pneumonia --colour=red",
        "docker push pneumonia",
        "python benchmarks/no_such_file.py",
        "pytest tests/no_such_file.py",
        "pytest -m no_such_marker",
    ],
)
def test_a_command_that_does_not_exist_fails(command):
    words = shlex.split(command)
    with pytest.raises((AssertionError, argparse.ArgumentError)):
        LOOK_UP[words[0]](words, ROOT)


def anchors(text):
    """Return the anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def flat(parameters, prefix=""):
    """Return nested parameters by dotted name."""
    found = {}
    for name, value in parameters.items():
        is_group = isinstance(value, dict) and value
        found |= flat(value, f"{prefix}{name}.") if is_group else {prefix + name: value}
    return found
