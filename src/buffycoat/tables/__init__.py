"""Tables of text: one reader for every CSV and Parquet table, and one writer for every CSV."""

from buffycoat.tables.columns import find_ids, find_labels
from buffycoat.tables.names import Joined, join_names
from buffycoat.tables.read import read_rows
from buffycoat.tables.rows import Rows
from buffycoat.tables.values import is_unknown, known_name, to_number
from buffycoat.tables.write import csv_text, write_csv, write_csv_parts

__all__ = [
    "Joined",
    "Rows",
    "csv_text",
    "find_ids",
    "find_labels",
    "is_unknown",
    "join_names",
    "known_name",
    "read_rows",
    "to_number",
    "write_csv",
    "write_csv_parts",
]
