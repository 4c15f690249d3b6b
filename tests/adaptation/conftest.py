import pytest


@pytest.fixture(scope="session")
def adaptation(default_parameters):
    """The parameters of an adaptation, with changes."""
    from pneumonia.base.adaptation_parameters import AdaptationParameters

    def change(**changes):
        return AdaptationParameters.model_validate({**default_parameters["adaptation"], **changes})

    return change
