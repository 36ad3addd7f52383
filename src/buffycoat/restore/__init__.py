"""Degraded images, made clean where that can be trusted."""
