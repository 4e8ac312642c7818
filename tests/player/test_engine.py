"""The player's engine without an event loop: whatever is done, no frame is lost or doubled."""

import gc
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drivers.players import Signal, Song, packets, tone
from tests.trio.calls import Packets
from voicekit.errors import PlaybackError
from voicekit.media import EncoderOptions
from voicekit.media.player import EndReason, QueueEnded, Track, TrackEnded, TrackStarted
from voicekit.opus import OpusNotFound

from .rig import DEPTH, Rig

COMMANDS = ["tick", "append", "clear", "skip", "pause", "resume", "again"]


class InThread(Song):
    blocking = True


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(COMMANDS), st.integers(1, 9)), max_size=40), st.booleans()
)
def test_any_commands_leave_every_track_whole_up_to_where_it_was_skipped(
    commands: list[tuple[str, int]], blocking: bool
) -> None:
    rig = Rig()
    kind = InThread if blocking else Song
    songs = [kind(0, 30)]
    rig.put_on(Track(songs[0]))
    rig.read()
    for command, number in commands:
        match command:
            case "tick":
                rig.tick(number)
            case "again":  # rendered anew, and untouched all the same
                rig._take_back()
                rig._go_on()
            case "append":
                songs.append(kind(len(songs), 4 * number))
                rig.queue.append(songs[-1])
            case "clear":
                rig.queue.clear()
            case "skip":
                rig.skip()
            case "pause":
                rig.pause()
            case "resume":
                rig.resume()
        rig.read()
        assert rig.ring.queued <= DEPTH
    rig.resume()
    for _ in range(3000):
        if rig.is_idle and not rig.ring.queued:
            break
        rig.tick()
        rig.read()
    rig.tick(2)
    assert rig.is_idle
    # Each track is heard once, in order, from its beginning on, without a hole.
    sent = rig.ring.sent
    tags = list(dict.fromkeys(packet[1] for packet in sent))
    assert tags == sorted(tags)
    assert sent == [
        packet for tag in tags for packet in packets(tag, sum(one[1] == tag for one in sent))
    ]
    ended = {event.source: event.reason for event in rig.events if isinstance(event, TrackEnded)}
    assert set(ended) == set(songs)
    for tag, song in enumerate(songs):
        count = sum(packet[1] == tag for packet in sent)
        if ended[song] is EndReason.FINISHED:
            assert count == len(song.packets)
    started = [event.source for event in rig.events if isinstance(event, TrackStarted)]
    assert [songs[tag] for tag in tags] == started
    assert QueueEnded() in rig.events


def test_every_after_is_called_exactly_once_also_of_what_never_began() -> None:
    calls: list[int] = []
    rig = Rig()
    rig.put_on(Track(Song(0, 10), lambda error: calls.append(0)))
    for tag in range(1, 5):
        rig.queue.append(Song(tag, 10), after=lambda error, tag=tag: calls.append(tag))  # type: ignore[misc]
    rig.tick(3)
    rig.queue.skip(1)
    assert calls == [1]
    rig.skip()
    rig.tick(2)
    assert calls == [1, 0]
    rig.stop()
    rig.tick(10)
    assert calls == [1, 0, 2, 3, 4]


def test_a_skip_just_after_a_skip_leaves_out_the_one_between() -> None:
    rig = Rig()
    rig.put_on(Track(Song(0, 10)))
    rig.queue.append(Song(1, 10))
    rig.queue.append(Song(2, 10))
    rig.tick(3)
    rig.skip()
    rig.skip()
    rig.tick(20)
    assert rig.ring.sent == packets(0, 4) + packets(2, 10)
    reasons = [event.reason for event in rig.events if isinstance(event, TrackEnded)]
    assert reasons == [EndReason.SKIPPED, EndReason.SKIPPED, EndReason.FINISHED]


def test_a_seek_just_after_a_skip_is_of_what_comes() -> None:
    rig = Rig()
    rig.put_on(Track(Song(0, 10)))
    rig.queue.append(Song(1, 10))
    rig.tick(3)
    rig.skip()
    rig.seek(0.1)
    assert rig.position == 0.1
    rig.tick(20)
    assert rig.ring.sent == packets(0, 4) + packets(1, 10)[5:]


def test_what_replaces_something_waits_until_it_has_something() -> None:
    rig = Rig()
    rig.put_on(Track(Song(0, 30)))
    rig.tick(3)
    incoming = rig.put_on(Track(InThread(1, 10)))
    rig.tick(3)
    assert rig.current_audio is not incoming.source
    rig.read(incoming)
    assert rig.current_audio is incoming.source
    rig.tick(20)
    assert rig.ring.sent == packets(0, 7) + packets(1, 10)


def test_what_ran_dry_begins_with_a_headstart() -> None:
    rig = Rig()
    song = InThread(0, 30)
    track = rig.put_on(Track(song))
    rig.serve()
    assert rig.ring.queued == 0
    rig.read(track)
    assert rig.ring.queued == DEPTH
    assert song.at < 30 or track.has_ended


@pytest.mark.parametrize("kind", [Song, InThread])
def test_packets_of_one_source_go_the_short_way(
    kind: type[Song], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig()
    rig.read(rig.put_on(Track(kind(0, 50))))
    rig.tick(DEPTH)
    with monkeypatch.context() as patch:
        patch.setattr(rig._renderer, "render", lambda: pytest.fail("rendered one by one"))
        rig.tick(20)
    rig.read()
    rig.tick(50)
    assert rig.ring.sent == packets(0, 50)


@pytest.mark.parametrize("kind", [Song, InThread])
@pytest.mark.parametrize("ticks", [20, 80], ids=["cut off", "played to its end"])
def test_a_player_that_has_played_is_forgotten_with_its_tracks(
    kind: type[Song], ticks: int
) -> None:
    # Packets are not known to the garbage collector: nothing may go in a circle through them.
    def play() -> list[weakref.ref[object]]:
        rig = Rig()
        track = rig.put_on(Track(kind(0, 50), lambda error: rig.serve()))
        track.watch(rig.serve)
        for _ in range(ticks):
            rig.read()
            rig.tick()
        rig.volume = 0.5  # what was passed on is taken back
        rig.read()
        rig.volume = 1.0
        rig.tick(2)
        rig._detach()
        return [weakref.ref(rig), weakref.ref(track)]

    remembered = play()
    gc.collect()
    assert [one() for one in remembered] == [None, None]


class Failing(Signal):
    """Its encoder can not be made, as where there is no libopus."""

    @property
    def encoder_options(self) -> EncoderOptions:
        raise OpusNotFound("there is no libopus.")


def test_what_can_not_be_encoded_fails_and_the_next_plays() -> None:
    errors: list[Exception | None] = []
    rig = Rig()
    rig.put_on(Track(Failing(tone(1.0)), errors.append))
    rig.queue.append(Song(1, 10))
    rig.tick(20)
    assert rig.ring.sent == packets(1, 10)
    (error,) = errors
    assert isinstance(error, PlaybackError)
    assert isinstance(error.__cause__, OpusNotFound)


@pytest.mark.parametrize("cut", [1, 2, 3842])
def test_samples_that_are_cut_fail_and_other_lengths_do_not(cut: int) -> None:
    class Cut(Signal):
        def next_pcm(self) -> bytes | None:
            return bytes(cut)

    class Short(Signal):
        def next_pcm(self) -> bytes | None:
            pcm = super().next_pcm()
            return None if pcm is None else pcm[:400]

    rig = Rig()
    rig.put_on(Track(Cut(tone(0.1))))
    rig.queue.append(Short(tone(1.0)))
    rig.tick(20)
    assert [type(event).__name__ for event in rig.events][:2] == ["SourceFailed", "TrackEnded"]
    assert len(rig.ring.sent) == 6, "50 pieces of 100 samples, put together"


def test_what_is_no_source_and_no_callback_is_refused() -> None:
    rig = Rig()
    with pytest.raises(TypeError, match="source"):
        rig.queue.append(42)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="after"):
        rig.queue.append(Song(0, 1), after="soon")  # type: ignore[arg-type]
    assert rig.is_idle


def test_a_source_that_is_not_opened_can_not_be_sought_nor_does_loop_hold_it_up() -> None:
    rig = Rig()
    rig.loop = True
    rig.put_on(Track(Packets(packets(0, 5))))
    rig.queue.append(Song(1, 5))
    rig.tick(8)
    assert rig.ring.sent[:5] == packets(0, 5), "a list of packets ends, loop or not"
    rig.loop = False
    rig.tick(20)
    assert rig.is_idle


def test_a_loop_of_nothing_ends() -> None:
    rig = Rig()
    rig.loop = True
    rig.put_on(Track(Song(0, 0)))
    rig.queue.append(Song(1, 2))
    rig.tick(10)
    assert rig.ring.sent == (packets(1, 2) * 5)[: len(rig.ring.sent)]
    assert len(rig.ring.sent) > 5
