"""A trained model in use: takes images without labels, returns probabilities and decisions, or a reason why not."""
