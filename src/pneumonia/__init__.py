"""A trustworthy pneumonia classifier for chest radiographs, as a Kedro project."""

__version__ = "0.1.0"
