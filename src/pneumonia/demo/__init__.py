"""Synthetic radiographs, drawn by a program."""
