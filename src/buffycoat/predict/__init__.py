"""Prediction: the stages in order on cells that a bundle is given. Nothing here trains."""
