"""All that fits: each stage of a bundle, scores on held-out cells, and the report."""
