"""Metrics of predictions, their intervals, curves, calibration, thresholds."""
