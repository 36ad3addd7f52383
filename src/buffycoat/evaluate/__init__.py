"""How good, how sure, and at which level: arrays in, numbers with intervals out."""
