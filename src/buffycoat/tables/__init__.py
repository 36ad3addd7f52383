"""Tables of text: one reader for every CSV and Parquet table, and one writer for every CSV."""

from buffycoat.tables.read import read_rows
from buffycoat.tables.rows import Rows

__all__ = ["Rows", "read_rows"]
