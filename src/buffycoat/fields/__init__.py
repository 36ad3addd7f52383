"""Whole fields of view: reading them, finding their nucleated cells, and how good they are."""
