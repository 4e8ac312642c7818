"""Voice belongs into a process of its own, and libraries do not let one put it there.

hikari's documentation says so of every implementation ("voice will generally be run in a
subprocess"), serenity PR#806 asked for a ConnectionInfo that Python can pass on. What a call
needs is one small value: it goes through a pickle, JSON or a command line unharmed.
Item 41 of the list of what users suffer from.
"""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import msgspec

from voicekit import VoiceServerInfo

INFO = VoiceServerInfo(
    endpoint="voice.example:2048",
    server_id=41771983423143937,
    channel_id=127121515262115840,
    user_id=104694319306248192,
    session_id="30f32c5d54ae86130fc4a215c7474263",
    token="66d29164ee8cd919",
)

#: A worker that is told nothing else, and dials.
WORKER = """
import pickle, sys
from voicekit import Config, VoiceConnection
connection = VoiceConnection(pickle.load(sys.stdin.buffer), config=Config(dave=False))
connection.start(0.0)
print(connection.poll().url)
"""


def test_another_process_makes_the_call_out_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        input=pickle.dumps(INFO),
        capture_output=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.decode().strip() == "wss://voice.example:2048/?v=8", done.stderr.decode()


def test_it_goes_through_json() -> None:
    text = json.dumps(msgspec.to_builtins(INFO))
    assert msgspec.convert(json.loads(text), VoiceServerInfo) == INFO


def test_it_holds_plain_values_only() -> None:
    assert {type(getattr(INFO, name)) for name in INFO.__struct_fields__} == {int, str}
    assert len(pickle.dumps(INFO)) < 500
