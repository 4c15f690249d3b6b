"""The stages of a run, one folder each."""
