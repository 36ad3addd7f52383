"""A frozen encoder, a head on its embeddings, and how strange a cell is."""
