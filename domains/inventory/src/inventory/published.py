"""The published language of the inventory domain.

Three kinds of record: domain events of boxes that come, stay and leave; the whole stock as event-carried
state; and its open reservations as deltas, each with the version of the stock that it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator

from hanse.domain import Envelope, Integration, Publish
from inventory import events as e
from inventory.stock import Stock

integration = Integration()


@integration.publishes(e.StockReceived)
def stock_received(event: e.StockReceived, stock: Stock, _: Envelope) -> Iterator[Publish]:
    """The boxes, and how many lie there now."""
    yield Publish(
        "stock_received",
        {
            "stock_id": event.stock_id,
            "seller_id": event.seller_id,
            "product_id": event.product_id,
            "quantity": event.quantity,
            "on_hand": stock.on_hand,
            "received_at": event.received_at,
        },
    )


@integration.publishes(e.StockReserved)
def stock_reserved(event: e.StockReserved, stock: Stock, _: Envelope) -> Iterator[Publish]:
    """The reservation: as an event, and as a part of the stock's state."""
    yield Publish(
        "stock_reserved",
        {
            "stock_id": event.stock_id,
            "seller_id": stock.seller_id,
            "product_id": stock.product_id,
            "reservation_id": event.reservation_id,
            "quantity": event.quantity,
            "available": stock.available,
            "reserved_at": event.reserved_at,
        },
    )
    yield Publish(
        "reservations",
        {
            "stock_id": event.stock_id,
            "reservation_id": event.reservation_id,
            "seller_id": stock.seller_id,
            "product_id": stock.product_id,
            "quantity": event.quantity,
            "reserved_at": event.reserved_at,
            "stock_version": stock.version,
        },
    )


@integration.publishes(e.ReservationReleased)
def reservation_released(event: e.ReservationReleased, stock: Stock, _: Envelope) -> Iterator[Publish]:
    """That the boxes can be had again."""
    yield Publish(
        "reservation_released",
        {
            "stock_id": event.stock_id,
            "seller_id": stock.seller_id,
            "product_id": stock.product_id,
            "reservation_id": event.reservation_id,
            "quantity": event.quantity,
            "reason": event.reason,
            "released_at": event.released_at,
        },
    )
    yield Publish("reservations", None, key=(event.stock_id, event.reservation_id))


@integration.publishes(e.ReservationCommitted)
def reservation_committed(event: e.ReservationCommitted, stock: Stock, _: Envelope) -> Iterator[Publish]:
    """That the boxes left."""
    yield Publish(
        "reservation_committed",
        {
            "stock_id": event.stock_id,
            "seller_id": stock.seller_id,
            "product_id": stock.product_id,
            "reservation_id": event.reservation_id,
            "quantity": event.quantity,
            "committed_at": event.committed_at,
        },
    )
    yield Publish("reservations", None, key=(event.stock_id, event.reservation_id))


@integration.publishes(e.StockReceived, e.StockReserved, e.ReservationReleased, e.ReservationCommitted)
def stock_state(_: object, stock: Stock, envelope: Envelope) -> Iterator[Publish]:
    """The whole stock as it is now."""
    yield Publish(
        "stock",
        {
            "stock_id": stock.stock_id,
            "seller_id": stock.seller_id,
            "product_id": stock.product_id,
            "on_hand": stock.on_hand,
            "reserved": stock.reserved,
            "available": stock.available,
            "reorder_point": stock.reorder_point,
            "open_reservations": len(stock.reservations),
            "version": stock.version,
            "updated_at": envelope.time,
        },
    )
