"""Readers: each turns one layout of files into a `Manifest`."""
