"""Pure values of the mesh: no I/O, no vendor."""
