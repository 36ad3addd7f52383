"""The ensemble of fold models."""
