"""Hanse's own schema registry: a store on SQLite, and a server with Confluent's REST API over it."""
