"""The projection language: dialect, analysis, and lowering to DuckDB."""
