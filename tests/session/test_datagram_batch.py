"""Datagrams side by side: `DatagramBatch`."""

import pytest

from voicekit._datagrams import DatagramBatch


def test_what_goes_in_comes_out_in_its_order() -> None:
    batch = DatagramBatch(capacity=3)
    datagrams = [b"one", bytearray(b""), memoryview(b"three" * 300)]
    for datagram in datagrams:
        batch.append(datagram)
    assert list(batch) == [bytes(datagram) for datagram in datagrams]
    assert len(batch) == 3
    assert batch[-1] == b"three" * 300


def test_the_largest_datagram_fits() -> None:
    batch = DatagramBatch(capacity=2)
    batch.append(bytes(65_507))
    assert len(batch[0]) == 65_507


def test_a_full_batch_and_a_small_slot_refuse_and_stay_as_they_are() -> None:
    batch = DatagramBatch(capacity=1, slot_size=4)
    with pytest.raises(ValueError, match="slot of 4"):
        batch.append(b"12345")
    batch.append(b"1234")
    with pytest.raises(ValueError, match="full"):
        batch.append(b"5")
    assert list(batch) == [b"1234"]


def test_a_copy_comes_out_not_a_view() -> None:
    batch = DatagramBatch()
    batch.append(b"first")
    first = batch[0]
    batch.clear()
    assert len(batch) == 0
    batch.append(b"other")
    assert first == b"first"


@pytest.mark.parametrize("index", [0, -1, 5, -5])
def test_there_is_nothing_beyond_the_last(index: int) -> None:
    with pytest.raises(IndexError):
        DatagramBatch()[index]


@pytest.mark.parametrize("sizes", [(0, 10), (-1, 10), (4, 0), (4, 65_537)])
def test_impossible_sizes_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="slot"):
        DatagramBatch(*sizes)
