"""The service edge: each domain's commands over HTTP, described by OpenAPI."""
