"""A trained model in formats that other programs run, with a gate that compares it to the original."""
