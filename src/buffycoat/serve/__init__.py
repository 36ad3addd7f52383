"""The review server: worklists, readings, decisions that nothing overwrites, and signatures."""
