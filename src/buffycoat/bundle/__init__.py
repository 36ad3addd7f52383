"""A trained system as one folder: what it holds, its files, and what it was made from."""
