"""Readers' SQL: what is allowed, and how it is run apart from everything else."""
