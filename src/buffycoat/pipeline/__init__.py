"""The stages in order, the bundle that they fit, and the command that runs them."""
