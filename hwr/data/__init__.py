"""Datasets: read, prepared once, augmented, in batches."""
