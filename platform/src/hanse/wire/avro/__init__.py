"""Avro: schemas, resolution of a writer's schema to a reader's, and decoding a column at a time."""
