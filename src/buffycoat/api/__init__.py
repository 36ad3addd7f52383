"""What Python programs call, and the commands too: each public function with its records.

Importing these modules loads nothing heavy; the functions do. `buffycoat` gathers the names.
"""

from importlib import import_module

# Public functions share their names with these rooms. A package is bound to its name in `buffycoat`
# when it is first imported: now, so that no later import takes the place of a function.
for room in ("audit", "evaluate", "predict"):
    import_module(f"buffycoat.{room}")
