"""Recipes compared under one protocol."""
