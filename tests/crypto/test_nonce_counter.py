import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicekit._crypto import NonceCounter, TransportCipher
from voicekit.errors import NonceExhausted

from .backends import BACKENDS, KEY


@pytest.fixture
def _busy_switching():
    """Let threads interrupt each other as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def run_together(*works):
    barrier = threading.Barrier(len(works))

    def run(work):
        barrier.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("_busy_switching")
def test_two_threads_never_get_the_same_value():
    counter = NonceCounter(0, 20_000)
    taken: list[list[int]] = [[], []]

    def take_all(values):
        while True:
            try:
                values.append(counter.next())
            except NonceExhausted:
                return

    run_together(*(lambda values=values: take_all(values) for values in taken))
    assert sorted(taken[0] + taken[1]) == list(range(20_000))
    assert all(values == sorted(values) for values in taken)


@pytest.mark.usefixtures("_busy_switching")
@pytest.mark.parametrize(("mode", "ask", "_"), BACKENDS)
def test_two_threads_that_seal_never_use_the_same_nonce(mode, ask, _):
    # The bindings let go of the GIL in the middle of a packet.
    cipher = TransportCipher(mode, KEY, nonce_start=100, backend=ask)
    packets: list[list[bytes]] = [[], []]

    def seal(into):
        for _ in range(2_000):
            into.append(cipher.seal(b"twelve bytes", bytes(160)))

    run_together(*(lambda into=into: seal(into) for into in packets))
    nonces = [int.from_bytes(packet[-4:], "big") for packet in packets[0] + packets[1]]
    assert sorted(nonces) == list(range(100, 4_100))


@given(st.integers(0, 2**32), st.integers(0, 5))
def test_it_hands_out_its_range_once(start, count):
    stop = min(start + count, 2**32)
    counter = NonceCounter(start, stop)
    assert [counter.next() for _ in range(stop - start)] == list(range(start, stop))
    with pytest.raises(NonceExhausted):
        counter.next()
    assert counter.value == stop


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (6, 5), (0, 2**32 + 1), (2**33, 2**33)])
def test_a_range_outside_of_32_bits_is_refused(start, stop):
    with pytest.raises(ValueError, match="nonce counter"):
        NonceCounter(start, stop)
