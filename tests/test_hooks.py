from types import SimpleNamespace

import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DatasetError

from pneumonia.errors import UserError
from pneumonia.hooks import ParametersHook, UserErrorHook

CONF = "conf"


def context(project, runtime_params=None, env="base"):
    """The part of a Kedro context that the hook reads, over the project's own configuration."""
    loader = OmegaConfigLoader(
        conf_source=str(project / CONF),
        base_env="base",
        default_run_env="local",
        env=env,
        runtime_params=runtime_params,
        config_patterns={"parameters": ["parameters*"]},
        merge_strategy={"parameters": "soft"},
    )
    return SimpleNamespace(config_loader=loader, _runtime_params=runtime_params)


@pytest.mark.parametrize("env", ["base", "demo", "notes"])
def test_the_parameters_of_every_environment_are_accepted(project, env):
    ParametersHook().after_context_created(context(project, env=env))


@pytest.mark.parametrize(
    ("runtime_params", "message"),
    [
        ({"imges": "/x"}, r"imges: no such parameter; did you mean images\?"),
        ({"training": {"epoch": 3}}, r"training\.epoch: no such parameter; did you mean training\.epochs\?"),
        ({"training": {"epochs": 0}}, r"training\.epochs: Input should be greater than or equal to 1 \(given: 0\)"),
        ({"training": {"epochs": "many"}}, r"training\.epochs: Input should be a valid integer \(given: 'many'\)"),
        ({"inputs": {"resize": "stretch"}}, r"inputs\.resize: Input should be 'pad', 'crop' or 'squeeze'"),
        ({"trainng": {"epochs": 3}}, r"trainng: no such parameter; did you mean training\?"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_was_given(project, runtime_params, message):
    with pytest.raises(UserError, match=message):
        ParametersHook().after_context_created(context(project, runtime_params))


def test_several_wrong_parameters_are_named_at_once(project):
    wrong = {"training": {"epochs": 0, "batch_size": 0}}

    with pytest.raises(UserError) as error:
        ParametersHook().after_context_created(context(project, wrong))
    assert "training.epochs" in error.value.message
    assert "training.batch_size" in error.value.message


def test_images_given_for_a_run_are_accepted(project):
    ParametersHook().after_context_created(context(project, {"images": "/some/where.zip"}))


def test_images_set_where_the_catalog_does_not_look_are_refused(project, tmp_path):
    conf = tmp_path / CONF
    conf.mkdir()
    (conf / "base").symlink_to(project / CONF / "base")
    (conf / "lab").mkdir()
    (conf / "lab" / "parameters.yml").write_text("images: /lab/images\n")
    here = context(project)
    here.config_loader = OmegaConfigLoader(conf_source=str(conf), base_env="base", env="lab")

    with pytest.raises(UserError, match=r"'/lab/images', but the images are read from 'data/01_raw/chest_xray'"):
        ParametersHook().after_context_created(here)


def test_a_user_error_is_unwrapped(project):
    wrapped = DatasetError("Failed while loading data")
    wrapped.__cause__ = UserError("The file is cut.")

    with pytest.raises(UserError, match=r"^The file is cut\.$"):
        UserErrorHook().on_pipeline_error(wrapped)


def test_other_errors_are_left_alone():
    UserErrorHook().on_pipeline_error(DatasetError("something else"))
