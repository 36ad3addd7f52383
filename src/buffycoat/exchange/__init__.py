"""Boxes and outlines of cells in the formats of other tools, in and out."""
