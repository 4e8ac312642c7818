"""The processes of the benchmarks: every packet that is sent is found in the receiver's log."""

import sys

import pytest

pytest.importorskip("voicekit.net._relay", reason="kernel time stamps: Linux only")

from bench.processes.process import started
from bench.processes.senders import WAYS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernel time stamps")

STREAMS, SECONDS = 3, 0.2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hog", [False, True], ids=["alone", "beside a thread that computes"])
def test_every_packet_of_every_stream_arrives_and_has_its_deadline(way: str, hog: bool) -> None:
    with started("bench.processes.receiver", None, log=1000) as receiver:
        port = receiver.answer()["port"]
        with started(
            "bench.processes.senders",
            None,
            way=way,
            streams=STREAMS,
            port=port,
            depth=0.1,
            hog=hog,
        ) as sender:
            addresses = sender.answer()["addresses"]
            assert receiver.ask("sources", addresses=addresses) == {"sources": STREAMS}
            found = sender.ask("run", seconds=SECONDS)
            assert len(found["deadlines"]) == STREAMS
            arrived = receiver.ask("arrivals", streams=found["deadlines"])
    assert arrived["packets"] == arrived["received"] >= STREAMS
    assert arrived["p50"] <= arrived["p99"] <= arrived["max"]
    # Who only sleeps and sends has no time to look at the clock.
    assert way == "limit" or {"p50", "p99", "max"} <= set(found["lateness"])


def test_a_process_that_fails_is_an_error_that_names_it() -> None:
    with (
        started("bench.processes.senders", None, way="pacer") as broken,
        pytest.raises(RuntimeError, match=r"senders.*ended with code 1"),
    ):
        broken.answer()
