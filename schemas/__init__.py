"""Data contracts: every table and file that crosses a boundary, declared once in pyarrow."""
