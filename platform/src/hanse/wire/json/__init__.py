"""JSON values, with a JSON Schema as the reader's schema, decoded value by value or a column at a time."""
