"""Protobuf values: read by field number into the columns of the reader's message."""
