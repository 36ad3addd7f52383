"""One loss a file, with its paper."""
