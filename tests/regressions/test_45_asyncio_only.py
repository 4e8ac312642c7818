"""asyncio only.

discord.py#2472 was closed with "a complete rewrite", bolt-python#771 and trio-websocket PR#162 wait
since 2021. Here the core knows of no event loop, and asyncio, trio, and no loop at all are three
drivers of the same one. Item 45 of the list of what users suffer from.
"""

import subprocess
import sys
from pathlib import Path

import pytest

#: A whole call of two on a virtual clock, and which event loops that has loaded.
CALL = """
import sys
from voicekit.testing import Pair
pair = Pair(clients=2)
pair.connect()
sent = pair.play(pair.clients[0], 20)
pair.drive(2.0)
assert [frame.opus for frame in pair.clients[1].frames] == sent
print(*sorted({"asyncio", "trio", "websockets", "threading"} & set(sys.modules)))
"""

#: Each driver loads its own event loop and not the other's.
DRIVER = """
import sys
import voicekit.{driver}
print(*sorted({{"asyncio", "trio"}} & set(sys.modules)))
"""


def printed(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_call_needs_no_event_loop() -> None:
    assert {"asyncio", "trio", "websockets"} & set(printed(CALL)) == set()


def test_the_asyncio_driver_does_not_load_trio() -> None:
    assert "trio" not in printed(DRIVER.format(driver="aio"))


@pytest.mark.parametrize("name", ["connect", "Voice", "record", "FrameStream", "EventStream"])
def test_both_drivers_have_the_same_names(name: str) -> None:
    import voicekit.aio
    import voicekit.trio

    assert hasattr(voicekit.aio, name)
    assert hasattr(voicekit.trio, name)
