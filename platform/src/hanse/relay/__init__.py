"""From the event store to the log: domain events become integration events, at least once and in order."""

from hanse.relay.relay import Relay, Relayed, open_relay, relay_domain

__all__ = ["Relay", "Relayed", "open_relay", "relay_domain"]
