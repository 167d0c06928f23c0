"""Apache Kafka: the event log on a broker, and a broker without Docker."""
