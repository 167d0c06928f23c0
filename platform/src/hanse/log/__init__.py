"""The event log beyond its port: partitioner, rows, archive, retention.

`partitioner` decides partitions as Kafka's clients do, `rows` turns records into Arrow and checks
them, `archive` keeps topics as Parquet and reads archive and log as one, `retention` drops what is
archived.
"""
