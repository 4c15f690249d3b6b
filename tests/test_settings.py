from importlib.metadata import Distribution

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks_entry_points

from pneumonia import settings


@pytest.fixture
def read(tmp_path):
    """Read one kind of configuration from files by path, under this project's settings."""

    def read(kind, files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "local").mkdir(exist_ok=True)
        return OmegaConfigLoader(str(tmp_path), **settings.CONFIG_LOADER_ARGS)[kind]

    return read


@pytest.mark.parametrize("name", ["parameters.yml", "parameters_a.yml", "parameters/a.yml", "a/parameters.yml"])
def test_parameters_are_read_wherever_kedro_looks_for_them(read, name):
    assert read("parameters", {f"base/{name}": "training: {epochs: 3}"}) == {"training": {"epochs": 3}}


def test_a_parameter_of_an_environment_leaves_the_others_of_its_group(read):
    found = read("parameters", {"base/parameters.yml": "a: {b: 1, c: 2}", "local/parameters.yml": "a: {c: 3}"})

    assert found == {"a": {"b": 1, "c": 3}}


@pytest.mark.parametrize(
    ("name", "hooks"), [("kedro-mlflow", []), ("kedro_mlflow", []), ("kedro-telemetry", []), ("kedro-other", ["hook"])]
)
def test_the_hooks_of_a_disabled_plugin_are_not_called_whichever_way_its_metadata_write_its_name(
    tmp_path, monkeypatch, name, hooks
):
    (tmp_path / "plugin-1.dist-info").mkdir()
    (tmp_path / "plugin-1.dist-info/METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\n")
    (tmp_path / "plugin-1.dist-info/entry_points.txt").write_text("[kedro.hooks]\nhook = math\n")
    monkeypatch.setattr("importlib.metadata.distributions", lambda: Distribution.discover(path=[str(tmp_path)]))
    manager = _create_hook_manager()

    _register_hooks_entry_points(manager, settings.DISABLE_HOOKS_FOR_PLUGINS)

    assert [found for found, plugin in manager.list_name_plugin() if plugin] == hooks
