"""Scores of sibling models: calibrated, stacked, and moved to another prior."""
