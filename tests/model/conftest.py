import pytest
from tests.tiny_network import register_tiny_network


@pytest.fixture(scope="session")
def tiny_cnn():
    """The name of a network that is registered for tests: one convolution, so that it trains in no time."""
    return register_tiny_network()
