"""Media files of all kinds, made with PyAV."""

import io
import wave
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from tests.measure import SAMPLE_RATE


def wav(pcm: npt.NDArray[np.int16], rate: int = SAMPLE_RATE) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((pcm.shape[1], 2, rate, 0, "NONE", ""))
        out.writeframes(pcm.tobytes())
    return file.getvalue()


def made_by_ffmpeg(
    pcm: npt.NDArray[np.int16],
    container: str,
    codec: str,
    *,
    rate: int = SAMPLE_RATE,
    layout: str = "stereo",
    tags: dict[str, str] | None = None,
    **options: str,
) -> bytes:
    """Encode stereo samples at 48 kHz into any container by any codec."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        out.metadata.update(tags or {})
        stream: Any = out.add_stream(codec, rate=rate, options=options)
        stream.layout = layout
        stream.codec_context.open()
        resampler = av.AudioResampler(
            format=stream.format.name,
            layout=layout,
            rate=rate,
            frame_size=stream.codec_context.frame_size or 960,
        )
        whole = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="stereo")
        whole.sample_rate = SAMPLE_RATE
        whole.pts = 0
        for frame in [*resampler.resample(whole), *resampler.resample(None)]:
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def video(seconds: float = 0.2) -> bytes:
    """A film without sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream: Any = out.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(round(seconds * 25)):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()
