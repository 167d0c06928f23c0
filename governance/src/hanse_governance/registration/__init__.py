"""Registering products in a mesh from elsewhere: a bundle of files passes the gate, is approved, and goes in."""

from hanse_governance.registration.bundle import Bundle
from hanse_governance.registration.desk import Desk, GateRefused, Registration

__all__ = ["Bundle", "Desk", "GateRefused", "Registration"]
