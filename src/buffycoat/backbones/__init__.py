"""Networks by name, and where their initial weights come from."""
