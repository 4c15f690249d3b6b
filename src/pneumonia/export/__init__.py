"""A trained model in formats for other programs, with a check against the original."""
