"""What every other package builds on: typed parameters, errors, atomic writes of files."""
