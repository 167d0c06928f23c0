"""Tools for the tests of a mesh's own domains and products: given what was, when something comes, then this follows.

given(Order, order_placed).when(ship).then(order_shipped)
given(fulfil_order, fact("orders.order_placed", order_id="o1")).when(accepted()).then()
given("CREATE TABLE o (n INT); SELECT SUM(n) AS total FROM o", o=[[1], [2]]).then((3,))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from hanse.testing.aggregates import Given, rejected
from hanse.testing.harness import ProjectionHarness
from hanse.testing.projections import GivenStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hanse.domain.aggregate import Aggregate
    from hanse.domain.messages import Event
    from hanse.domain.saga import Saga
    from hanse.testing.sagas import Accepted, GivenSaga, Seen, Trigger


@overload
def given(subject: type[Aggregate], /, *past: Event) -> Given: ...
@overload
def given(subject: Saga, /, *past: Trigger) -> GivenSaga: ...
@overload
def given(subject: str, /, **streams: Sequence[Any]) -> GivenStream: ...
def given(subject: Any, /, *past: Any, **streams: Any) -> Any:
    """An aggregate after events, a saga after what it has seen, or a projection that was fed with streams."""
    if isinstance(subject, str):
        return GivenStream(subject, streams)
    if isinstance(subject, type):
        return Given.after(subject, past)
    from hanse.testing.sagas import GivenSaga

    return GivenSaga(subject, past)


def fact(topic: str, **value: Any) -> Seen:
    """For sagas: a record of the topic with this value."""
    from hanse.testing.sagas import Seen

    return Seen(topic, value)


def accepted() -> Accepted:
    """For sagas: the command that the saga sent last was accepted."""
    from hanse.testing.sagas import Accepted

    return Accepted()


__all__ = ["ProjectionHarness", "accepted", "fact", "given", "rejected"]
