"""Masks of the central cell and its nucleus."""
