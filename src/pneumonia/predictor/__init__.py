"""A trained model in use: images without labels in, probabilities and decisions out, or a reason why not."""
