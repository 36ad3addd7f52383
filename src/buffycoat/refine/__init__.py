"""Shape, rescue of tail classes, and the final decision."""
