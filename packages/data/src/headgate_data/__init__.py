"""Datasets, splits and the data contract."""
