"""What happened to the files of earlier runs since, met by every node that reads them: refused before the node runs.

The cases come from the catalog and the pipelines. What only the default run can make lies there from a real run; for
the rest, and for an older run of another model, files are put in its place. `tests/datasets/test_damage.py` has what is
wrong with a file by itself.
"""

import copy
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from kedro.framework.project import configure_project, pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, DatasetError
from tests.datasets.test_damage import SAVED, kind_of

from pneumonia.base.errors import UserError
from pneumonia.base.files import checksum_path, write_with_checksum
from pneumonia.hooks import LayoutHook, RunContextHook
from pneumonia.runs.errors import plain_message
from pneumonia.runs.pinning import PARENT

pytestmark = pytest.mark.slow

configure_project("pneumonia")
OLDER, LATER, NOW = (f"{year}-01-01T00.00.00.000Z" for year in (2020, 2099, 2100))
# One reads what only another node of the same run keeps in memory.
NODES = {
    node.name: node
    for pipeline in pipelines.values()
    for node in pipeline.nodes
    if "export_candidate" not in node.inputs
}
READERS = {
    name: sorted(node.name for node in NODES.values() if name in node.inputs)
    for name in sorted(set().union(*(node.inputs for node in NODES.values())))
    if not name.startswith("param")
}
# Makes the lineage of a model that it has no record of.
OF_ANY_MODEL = {"adaptation.make_adapted_lineage"}


class Checkout:
    """A checkout whose newest run made everything that the catalog names, after one that made another model."""

    def __init__(self, folder):
        bootstrap_project(folder)
        with KedroSession.create(folder, env="tiny") as session:
            self.config = session.load_context().config_loader["catalog"]
        for entry in self.config.values():
            entry.pop("validator", None)  # what is put in the place of a file has no layout
            for place in entry.keys() & {"filepath", "path", "tensorboard_logs"}:
                entry[place] = str(folder / entry[place])
        self.catalog = self.open()

    def open(self, version=NOW):
        return DataCatalog.from_config(copy.deepcopy(self.config), save_version=version)

    def file(self, name):
        """The newest file of a dataset; None where it keeps no versions."""
        return Path(self.catalog.get(name)._get_load_path()) if self.keeps_versions(name) else None

    def keeps_versions(self, name):
        return getattr(self.catalog.get(name), "_version", None) is not None

    def read(self, name, node):
        """Do what `kedro run --nodes=NODE` does before it runs the node, and return what it reads."""
        part = next(pipeline for pipeline in pipelines.values() if node in {one.name for one in pipeline.nodes})
        part, catalog, layout = part.filter(node_names=[node]), self.open(), LayoutHook()
        RunContextHook().before_pipeline_run({"run_id": NOW, "env": "tiny"}, part, catalog)
        layout.before_pipeline_run(part, catalog)
        stored = {one for one in part.inputs() if self.file(one)}
        inputs = {one: catalog.load(one) for one in sorted(stored, key=lambda one: (one != name, one))}
        layout.before_node_run(inputs)
        return inputs[name]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, finished_checkout):
    folder = shutil.copytree(finished_checkout, tmp_path_factory.mktemp("faults") / "checkout")
    (model,) = folder.glob("data/tiny/*/pneumonia_model.keras/*")
    made = Checkout(folder)
    catalog = made.open(model.name)
    for name in READERS:
        if made.keeps_versions(name) and not catalog.exists(name):
            catalog.save(name, SAVED[kind_of({"type": type(catalog.get(name)).__name__})])
    for version in [*folder.glob(f"data/tiny/*/*/{model.name}")]:
        make_older(version)
    made.catalog = made.open()
    return made


def make_older(folder):
    """Put an older version beside one: of another model, where it is the model or names it."""
    shutil.copytree(folder, older := folder.with_name(OLDER))
    for path in older.glob("*.json"):
        write_with_checksum(path, re.sub(rb'("weights_sha256": ")\w{8}', rb"\g<1>00000000", path.read_bytes()))
    for path in older.glob("*.keras"):
        import keras

        model = keras.models.load_model(path)
        model.set_weights([weight + 1 for weight in model.get_weights()])
        model.save(path)
    for path in older.glob("*.sha256"):
        written = path.with_name(path.name.removesuffix(".sha256"))
        write_with_checksum(written, written.read_bytes())


@contextmanager
def spoiled(file):
    """Keep the folder of a version, and put it back."""
    copy = shutil.copytree(file.parent, file.parent.with_name("kept"))
    try:
        yield
    finally:
        shutil.rmtree(file.parent, ignore_errors=True)
        copy.rename(file.parent)


def stored(checkout):
    """The datasets that keep versions and that a node reads."""
    return [name for name in READERS if checkout.file(name)]


def ends(checkout, name, node):
    """Return the sentence that a node which reads a dataset is refused with; None if it would be run."""
    try:
        checkout.read(name, node)
    except (UserError, DatasetError) as error:
        return plain_message(error) or f"{type(error).__name__} {error}"
    return None


def test_whatever_is_as_it_was_made_is_read(checkout):
    assert len(stored(checkout)) > 90
    nodes = {node: name for name in stored(checkout) for node in READERS[name]}
    refused = {node: ends(checkout, name, node) for node, name in nodes.items()}
    assert {node: said for node, said in refused.items() if said} == {}


def test_the_file_of_another_run_with_its_own_checksum_is_refused(checkout):
    wrong = []
    for number, name in enumerate(stored(checkout)):
        file = checkout.file(name)
        if not checksum_path(file).exists():
            continue
        with spoiled(file):
            shutil.copytree(file.parent.with_name(OLDER), file.parent, dirs_exist_ok=True)
            node = READERS[name][number % len(READERS[name])]
            said = ends(checkout, name, node) or "nothing"
            if f"{file} belongs elsewhere" not in said:
                wrong.append((name, node, said))
    assert not wrong, wrong


@pytest.mark.parametrize("model", ["pneumonia_model", PARENT])
def test_the_model_of_another_run_is_refused_by_whatever_reads_it(checkout, model):
    file = checkout.file(model)
    with spoiled(file):
        shutil.copy(file.parent.with_name(OLDER) / file.name, file)
        said = {node: ends(checkout, model, node) for node in READERS[model]}

    assert len(said) > 1
    assert {node for node, sentence in said.items() if not sentence} == OF_ANY_MODEL & said.keys()
    assert all("was made for the model with the weights" in sentence for sentence in said.values() if sentence)


DAMAGES = {
    "halved": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "zeroed": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a byte changed": lambda file: file.write_bytes(file.read_bytes()[:-1] + b"7"),
}


def test_what_is_damaged_is_named_by_a_node_that_reads_it(checkout):
    wrong = []
    for number, name in enumerate(stored(checkout)):
        damage = [*DAMAGES][number % len(DAMAGES)]
        file, node = checkout.file(name), READERS[name][-1 - number % len(READERS[name])]
        if not file.is_file() or (file.suffix == ".keras" and damage == "a byte changed"):
            continue
        with spoiled(file):
            DAMAGES[damage](file)
            said = ends(checkout, name, node) or "nothing"
            if str(file) not in said or not ("Remove " in said or "run again" in said):
                wrong.append((name, node, damage, said))
    assert not wrong, wrong


def test_a_table_of_another_split_is_not_read_with_the_results_of_a_model(checkout):
    """The ingest was run again with another seed after the evaluation."""
    manifest, index = checkout.file("split_manifest"), checkout.file("split_table")
    catalog = checkout.open(LATER)
    catalog.save("split_manifest", checkout.catalog.load("split_manifest").iloc[::-1])
    catalog.save("split_table", checkout.catalog.load("split_table"))
    try:
        said = ends(checkout, "split_table", "evaluation.write_report")
    finally:
        for file in (manifest, index):
            shutil.rmtree(file.parent.with_name(LATER))
    assert "The model was trained with the manifest" in said
