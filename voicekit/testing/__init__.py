"""The test kit: `Pair`, `Link`, transcripts and a pytest fixture. Public and documented.

`Pair` puts clients and the voice server on a virtual clock without any socket; `Link` is
the bad network between them; `Transcript` records a session without its secrets and plays
it back; the pytest plugin gives a real loopback server as the fixture ``voice_server``.
"""

from voicekit.link import Burst, Link, LinkStats

__all__ = ["Burst", "Link", "LinkStats"]
