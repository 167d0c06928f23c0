"""Federated governance, computed: policies over a mesh's descriptors, schemas and projections."""
