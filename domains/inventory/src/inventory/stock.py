"""The stock: what lies there, and what of it is promised."""

from __future__ import annotations

from hanse.domain import Aggregate, applies, decides, require
from inventory import commands as c
from inventory import events as e
from inventory.values import MOST, positive, stock_of

RELEASE_REASONS = ("canceled", "unavailable", "expired")


class Stock(Aggregate, name="stock", identity="stock_id"):
    """The boxes of one product of one seller. What is reserved can never exceed what is on hand.

    Only open reservations are kept: a stock of a year's sales is as small as one of a day's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stock_id = ""
        self.seller_id = ""
        self.product_id = ""
        self.on_hand = 0
        self.reserved = 0
        self.reorder_point = 0
        self.reservations: dict[str, int] = {}

    @property
    def available(self) -> int:
        """Boxes that can be reserved."""
        return self.on_hand - self.reserved

    @decides(c.ReceiveStock)
    def receive(self, command: c.ReceiveStock) -> list[e.StockReceived]:
        """Boxes come in for the stock of their seller and product."""
        quantity = positive(command.quantity)
        require(
            command.stock_id == stock_of(command.seller_id, command.product_id),
            "stock-of-one-product",
            "a stock is of one seller's product, and is called by both",
        )
        require(self.on_hand + quantity <= MOST, "stock-limit", f"a stock holds at most {MOST:,} boxes")
        point = self.reorder_point if command.reorder_point is None else command.reorder_point
        require(0 <= point <= MOST, "reorder-point", f"a reorder point lies from 0 to {MOST:,}")
        return [
            e.StockReceived(
                stock_id=command.stock_id,
                seller_id=command.seller_id,
                product_id=command.product_id,
                quantity=quantity,
                reorder_point=point,
                received_at=command.received_at,
            )
        ]

    @decides(c.ReserveStock)
    def reserve(self, command: c.ReserveStock) -> list[e.StockReserved]:
        """What is available can be reserved, once for each purpose."""
        quantity = positive(command.quantity)
        self._require_known()
        require(
            command.reservation_id not in self.reservations,
            "reservation-once",
            "the boxes are reserved for that already",
        )
        require(
            quantity <= self.available,
            "stock-insufficient",
            f"{quantity} boxes are wanted and {self.available} are available",
        )
        return [
            e.StockReserved(
                stock_id=self.stock_id,
                reservation_id=command.reservation_id,
                quantity=quantity,
                reserved_at=command.reserved_at,
            )
        ]

    @decides(c.ReleaseReservation)
    def release(self, command: c.ReleaseReservation) -> list[e.ReservationReleased]:
        """An open reservation is released for a known reason."""
        quantity = self._open(command.reservation_id)
        require(
            command.reason in RELEASE_REASONS,
            "release-reason-known",
            f"a reason is one of {', '.join(RELEASE_REASONS)}",
        )
        return [
            e.ReservationReleased(
                stock_id=self.stock_id,
                reservation_id=command.reservation_id,
                quantity=quantity,
                reason=command.reason,
                released_at=command.released_at,
            )
        ]

    @decides(c.CommitReservation)
    def commit(self, command: c.CommitReservation) -> list[e.ReservationCommitted]:
        """The boxes of an open reservation leave."""
        quantity = self._open(command.reservation_id)
        return [
            e.ReservationCommitted(
                stock_id=self.stock_id,
                reservation_id=command.reservation_id,
                quantity=quantity,
                committed_at=command.committed_at,
            )
        ]

    @applies(e.StockReceived)
    def _received(self, event: e.StockReceived) -> None:
        self.stock_id, self.seller_id, self.product_id = event.stock_id, event.seller_id, event.product_id
        self.on_hand += event.quantity
        self.reorder_point = event.reorder_point

    @applies(e.StockReserved)
    def _reserved(self, event: e.StockReserved) -> None:
        self.reservations[event.reservation_id] = event.quantity
        self.reserved += event.quantity

    @applies(e.ReservationReleased)
    def _released(self, event: e.ReservationReleased) -> None:
        self.reserved -= self.reservations.pop(event.reservation_id)

    @applies(e.ReservationCommitted)
    def _committed(self, event: e.ReservationCommitted) -> None:
        quantity = self.reservations.pop(event.reservation_id)
        self.reserved -= quantity
        self.on_hand -= quantity

    def _open(self, reservation_id: str) -> int:
        self._require_known()
        require(reservation_id in self.reservations, "reservation-open", "no such reservation is open")
        return self.reservations[reservation_id]

    def _require_known(self) -> None:
        require(self.version > 0, "stock-known", "no boxes of that stock ever came in")
