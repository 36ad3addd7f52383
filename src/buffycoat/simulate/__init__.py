"""Simulated degradation, and rendered cells with known masks."""
