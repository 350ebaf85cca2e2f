"""Transform: JSON records to typed frames, and the records that cannot be typed.

Only values are converted here. Which field fills which column is decided before (``ideas_api/field_map.py``), and what
the warehouse does with a row after.
"""
