"""The HTTP interface, one file a part of it."""
