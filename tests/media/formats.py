"""Every format that voicekit promises to read, and how FFmpeg makes it."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tests.media.files import made_by_ffmpeg


@dataclass(frozen=True)
class Made:
    """How to make one, and what `probe` calls it."""

    container: str
    encoder: str
    codec: str
    rate: int = 48_000
    options: dict[str, str] = field(default_factory=dict)
    #: Seconds by which the file may be longer or shorter than the samples that went in: codecs
    #: have blocks, and not every container says how much of the last one counts.
    slack: float = 0.03
    #: Samples by which what comes out is late: what an encoder puts in front, and the container
    #: does not tell. None: not to be foretold.
    delay: int | None = 0

    def make(self, pcm: npt.NDArray[np.int16], **tags: str) -> bytes:
        return made_by_ffmpeg(
            pcm, self.container, self.encoder, rate=self.rate, tags=tags, **self.options
        )


FORMATS = {
    "MP3": Made("mp3", "libmp3lame", "mp3", 44_100),
    "MP3 with variable bit rate": Made("mp3", "libmp3lame", "mp3", options={"q": "2"}),
    # FFmpeg's own Vorbis encoder asks to be called experimental.
    "Ogg Vorbis": Made("ogg", "vorbis", "vorbis", options={"strict": "experimental"}),
    "FLAC": Made("flac", "flac", "flac"),
    "Ogg FLAC": Made("ogg", "flac", "flac"),
    "WAV": Made("wav", "pcm_s16le", "pcm_s16le", 44_100),
    "WAV of floats": Made("wav", "pcm_f32le", "pcm_f32le", 96_000),
    "WAV of bytes": Made("wav", "pcm_u8", "pcm_u8"),
    "AIFF": Made("aiff", "pcm_s16be", "pcm_s16be"),
    "AAC": Made("adts", "aac", "aac", slack=0.06, delay=1024),
    "AAC in Matroska": Made("matroska", "aac", "aac", 44_100),
    "M4A": Made("ipod", "aac", "aac"),
    "MP4": Made("mp4", "aac", "aac", 44_100),
    "ALAC": Made("ipod", "alac", "alac"),
    "ADPCM of IMA": Made("wav", "adpcm_ima_wav", "adpcm_ima_wav", 44_100, slack=0.05),
    "ADPCM of Microsoft": Made("wav", "adpcm_ms", "adpcm_ms", 44_100),
    "WMA": Made("asf", "wmav2", "wmav2", options={"b": "192000"}, slack=0.15, delay=None),
    "AC-3": Made("ac3", "ac3", "ac3", options={"b": "256000"}, delay=256),
    "E-AC-3": Made("eac3", "eac3", "eac3", options={"b": "256000"}, delay=256),
    "Ogg Opus": Made("ogg", "libopus", "opus", delay=312),
    "WebM Opus": Made("webm", "libopus", "opus", delay=312),
    "MKV Opus": Made("matroska", "libopus", "opus", delay=312),
    "MP4 Opus": Made("mp4", "libopus", "opus", delay=312),
}
OPUS = [name for name, made in FORMATS.items() if made.codec == "opus"]
DECODED = [name for name in FORMATS if name not in OPUS]
