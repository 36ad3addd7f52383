"""What Python programs call, and the commands too: each public function with its records.

Importing these modules loads nothing heavy; the functions do. `buffycoat` gathers the names.
"""
