"""What differs between laboratories: colour, scale, the look of a batch; and how to undo it."""
