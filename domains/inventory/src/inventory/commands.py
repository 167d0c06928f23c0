"""What can be asked of a stock."""

from __future__ import annotations

from datetime import datetime

from hanse.domain import Command, command


@command
class ReceiveStock(Command):
    """Record that boxes of the seller's product came in. `reorder_point` changes it when it is given."""

    stock_id: str
    seller_id: str
    product_id: str
    quantity: int
    received_at: datetime
    reorder_point: int | None = None


@command
class ReserveStock(Command):
    """Keep boxes for the purpose that the reservation id names."""

    stock_id: str
    reservation_id: str
    quantity: int
    reserved_at: datetime


@command
class ReleaseReservation(Command):
    """Make the reserved boxes available again."""

    stock_id: str
    reservation_id: str
    released_at: datetime
    reason: str


@command
class CommitReservation(Command):
    """Record that the reserved boxes left the shelf."""

    stock_id: str
    reservation_id: str
    committed_at: datetime
