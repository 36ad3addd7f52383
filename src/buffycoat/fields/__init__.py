"""Whole fields of view: reading them, finding the nucleated cells in them, and how good they are."""
