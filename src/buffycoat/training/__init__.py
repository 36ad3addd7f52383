"""The one training loop that restorer, classifier and head share."""
