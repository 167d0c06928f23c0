"""Wire formats: the bytes of a record's value, framed, encoded, and decoded into Arrow."""
