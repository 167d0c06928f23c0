"""What happens to a stock. The stored names never change."""

from __future__ import annotations

from datetime import datetime

from hanse.domain import Event, event


@event("StockReceived")
class StockReceived(Event):
    """Boxes came in; from now on the stock has this reorder point."""

    stock_id: str
    seller_id: str
    product_id: str
    quantity: int
    reorder_point: int
    received_at: datetime


@event("StockReserved")
class StockReserved(Event):
    """Boxes are kept for somebody."""

    stock_id: str
    reservation_id: str
    quantity: int
    reserved_at: datetime


@event("ReservationReleased")
class ReservationReleased(Event):
    """The boxes of a reservation are available again."""

    stock_id: str
    reservation_id: str
    quantity: int
    reason: str
    released_at: datetime


@event("ReservationCommitted")
class ReservationCommitted(Event):
    """The boxes of a reservation left the shelf."""

    stock_id: str
    reservation_id: str
    quantity: int
    committed_at: datetime
