"""users.md 19: receiving does not exist, or nothing comes until something was sent.

disnake#178, discord.py#1094, JDA#789: "no audio until you send". A receive-only connection
speaks up once, with five frames of silence, and then hears everybody.
"""

from voicekit import SILENCE_FRAME, Config
from voicekit.server import ServerConfig
from voicekit.testing import Pair


def heard_by_listener(config: Config) -> tuple[int, list[bytes]]:
    """Frames that a silent client hears, and what it sent, on a server like Discord's."""
    pair = Pair(
        clients=2, config=[Config(), config], server_config=ServerConfig(receive_after_send=True)
    )
    pair.connect()
    speaker, listener = pair.clients
    pair.drive(0.5)
    pair.play(speaker, 50)
    pair.drive(2.0)
    return len(listener.frames), [frame.opus for frame in speaker.frames]


def test_a_client_that_never_sent_hears_nothing() -> None:
    assert heard_by_listener(Config()) == (0, [])


def test_a_receive_only_client_hears_everything_from_the_first_word() -> None:
    frames, _ = heard_by_listener(Config(receive_only=True))
    assert frames == 50


def test_its_burst_is_paced_silence_and_ends_in_not_speaking() -> None:
    pair = Pair(clients=2, config=[Config(receive_only=True), Config()])
    pair.connect()
    quiet, other = pair.clients
    pair.drive(1.0)
    assert [frame.opus for frame in other.frames] == [SILENCE_FRAME] * 5
    assert other.events_of(type(other.events[-1]))
    assert quiet.connection.stats().packets_sent == 5
