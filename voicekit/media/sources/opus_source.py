"""Opus as a source: its own packets, regrouped to 20 ms where needed, encoded anew where not."""

from collections import deque
from typing import TYPE_CHECKING

from ..._rtp import SAMPLE_RATE, opus_duration
from ...errors import VoicekitError
from ...opus_frames import join_frames, split_frames
from ..pcm import CHANNELS, FRAME_SAMPLES, Reframer
from .encoding import EncoderOptions
from .file_source import FileSource, nothing_in
from .opus_packets import OpusPackets

if TYPE_CHECKING:
    from ...opus import Decoder

__all__ = ["OpusSource"]

#: RFC 7845 section 4.6: a decoder needs 80 ms to sound right after a jump.
_SETTLING = 4


class OpusSource(FileSource):
    """Opus packets of any duration. The first is read at once (``eager``): bad files show early.

    As long as nothing changes the sound, packets of 20 ms go out byte for byte, shorter ones are
    put together, and longer ones are taken apart where they hold several frames. A frame of 40
    or 60 ms can not be cut: from there on it is encoded anew, until the next `seek`.
    """

    def __init__(
        self,
        packets: OpusPackets,
        *,
        start: float = 0.0,
        loop: bool | int = False,
        volume: float = 1.0,
        encoder: EncoderOptions,
        normalize: float | None = None,
        eager: bool = True,
    ) -> None:
        super().__init__(packets, loop=loop, volume=volume, encoder=encoder)
        self._packets = packets
        self._waiting: deque[bytes] = deque()
        self._samples = 0  # in those that wait
        self._must_encode = False
        self._decoder: Decoder | None = None
        self._pcm = Reframer()
        #: What was passed last, for a decoder that has to start in the middle.
        self._recent: deque[bytes] = deque(maxlen=_SETTLING)
        if not eager:
            return
        if not self._fill():
            raise nothing_in(self.name)
        self._begin(start, normalize)
        self._group()  # whether it can pass, before somebody asks
        if not self.passthrough:
            self._open_encoder()

    @property
    def passthrough(self) -> bool:
        """Whether the frames are the file's own, not encoded anew.

        It follows `volume`, and turns False when a frame comes that is longer than 20 ms.
        """
        return self._gain == 1 and not self._must_encode

    def read(self) -> bytes | None:
        """Return the next Opus frame of 20 ms, or None at the end. Raises `MediaError`.

        Packets that are not Opus are left out.
        """
        # After a change of volume one more frame is encoded, in which the gain gets back to 1.
        if self.passthrough and self._applied == 1 and not self._closed:
            packet = self.next_packet()
            if packet is not None or not (self._must_encode or self._pcm):
                return packet
        if self._decoder is None and self._recent:
            self._prepare_encoder()
        return super().read()

    def next_packet(self) -> bytes | None:
        """Return the next 20 ms as they came; None: at the end, or where they can not be cut."""
        if self._must_encode or self._pcm or self._closed:
            return None
        count = self._group()
        return self._pass(count) if count else None

    @property
    def padding(self) -> int:
        """Bytes of silence with which the last frame of `next_pcm` was filled up."""
        return self._pcm.padding

    def next_pcm(self) -> bytes | None:
        """Return the next 20 ms as samples, the volume not applied; None at the end."""
        if self._decoder is None:
            if not (self._waiting or self._fill() or self._begin_again(0.0)):
                return None  # at the end there is nothing for which libopus would be needed
            self._settle_decoder()
            self._pcm.clear()
        while (frame := self._pcm.take()) is None:
            if self._waiting:
                self._decode(self._take())
            elif not self._fill() and not self._begin_again(self._pcm.seconds):
                frame = self._pcm.take_rest()
                break
        if frame is not None:
            self._frames_since += 1
        return frame

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        super().close()
        changed_over = self._must_encode
        self._forget()
        self._must_encode = changed_over
        self._packets.close()

    def _jump(self, seconds: float) -> float:
        return self._packets.seek(seconds)

    def _forget(self) -> None:
        self._waiting.clear()
        self._samples = 0
        self._must_encode = False
        self._decoder = None
        self._pcm.clear()
        self._recent.clear()

    # -- untouched -----------------------------------------------------------------

    def _group(self) -> int:
        """Return how many of the packets that wait make 20 ms: 0 at the end, or if none do."""
        while self._samples < FRAME_SAMPLES:
            if not self._fill() and not self._begin_again(self._samples / SAMPLE_RATE):
                break
        if not self._waiting:
            return 0
        toc = self._waiting[0][:1]
        while self._samples < FRAME_SAMPLES:  # the end: frames of no length conceal
            self._append(toc)
        count = samples = 0
        for packet in self._waiting:
            if samples >= FRAME_SAMPLES or packet[:1] != toc:
                break
            samples += opus_duration(packet)
            count += 1
        if samples != FRAME_SAMPLES:
            self._must_encode = True
            return 0
        return count

    def _pass(self, count: int) -> bytes:
        """Return so many of the packets that wait, as one."""
        packets = [self._take() for _ in range(count)]
        packet = packets[0] if count == 1 else join_frames(packets)
        self._recent.append(packet)
        self._decoder = None
        self._frames_since += 1
        return packet

    def _fill(self) -> bool:
        """Read one more packet; False at the end."""
        while (packet := self._packets.read()) is not None:
            if not self._waiting and opus_duration(packet) == FRAME_SAMPLES:
                self._append(packet)
                return True
            try:
                frames = split_frames(packet)
            except ValueError:
                continue
            for frame in frames:
                self._append(frame)
            return True
        return False

    def _append(self, packet: bytes) -> None:
        self._waiting.append(packet)
        self._samples += opus_duration(packet)

    def _take(self) -> bytes:
        packet = self._waiting.popleft()
        self._samples -= opus_duration(packet)
        return packet

    # -- encoded anew --------------------------------------------------------------

    def _settle_decoder(self) -> bytes:
        """Make a decoder that knows what was passed last; return the last of it, decoded."""
        from ...opus import Decoder

        self._decoder = Decoder(SAMPLE_RATE, CHANNELS)
        for packet in self._recent:
            self._pcm.clear()
            self._decode(packet)
        return self._pcm.take() or b""

    def _decode(self, packet: bytes) -> None:
        assert self._decoder is not None
        try:
            self._pcm.push(self._decoder.decode(packet))
        except VoicekitError:  # OpusError: it is damaged
            pass

    def _prepare_encoder(self) -> None:
        """Let the encoder hear what was passed last: its first frame begins with 6.5 ms of it."""
        encoder = self._open_encoder()
        encoder.reset()
        if last := self._settle_decoder():
            encoder.encode(last)
