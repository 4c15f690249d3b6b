"""What every other package stands on: typed parameters, errors, whole-file writes."""
