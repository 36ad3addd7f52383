"""Slides and pictures of microscopes, one reader a family of formats, never whole in memory."""
