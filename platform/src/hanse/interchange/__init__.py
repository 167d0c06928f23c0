"""Contracts from other formats and into them, by datacontract-cli's converters and a few of our own."""
