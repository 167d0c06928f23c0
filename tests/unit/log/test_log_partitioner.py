"""The partitioner against hashes that Kafka's own tests and Java client give."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.log.partitioner import NullKeys, murmur2, partition_of, partitions_of

# org.apache.kafka.common.utils.UtilsTest.testMurmur2
KAFKA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), KAFKA.items())
def test_the_hash_is_kafkas(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF
    assert partitions_of(pa.array([key], pa.large_binary()), 1_000).tolist() == [
        (signed & 0x7FFFFFFF) % 1_000
    ]


@settings(max_examples=60, deadline=None)
@given(
    keys=st.lists(
        st.none() | st.binary(max_size=70) | st.binary(min_size=1_020, max_size=1_030), max_size=40
    ),
    partitions=st.integers(1, 10_000),
    start=st.integers(0, 5),
)
def test_many_keys_land_where_each_does(keys: list[bytes | None], partitions: int, start: int) -> None:
    array = pa.array([*keys, *([b"end"] * 6)], pa.large_binary())[start:]
    expected = [-1 if k is None else partition_of(k, partitions) for k in array.to_pylist()]
    assert partitions_of(array, partitions).tolist() == expected


def test_records_without_key_stay_together_for_a_while() -> None:
    targets = partitions_of(pa.array([None] * 25, pa.large_binary()), 4)
    null_keys = NullKeys(run=10)
    assert null_keys.fill(targets, 4).tolist() == [0] * 10 + [1] * 10 + [2] * 5
    assert null_keys.fill(targets[:1], 4).tolist() == [3]
