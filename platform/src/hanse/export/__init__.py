"""A mesh's descriptors in the formats of others."""
