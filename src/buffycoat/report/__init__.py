"""Pages for people: tables and arrays in, one self-contained file out."""
