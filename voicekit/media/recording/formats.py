"""The formats of a recording: for each, what a user's track and the mix are written by."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from ..ogg import OggOpusWriter
from .coded import CODINGS, CodedFile
from .decoding import DecodedSink
from .matroska import MatroskaFile
from .opus_file import OpusFile
from .sink import PcmWriter, Sink
from .wav import PcmFile, WavFile

__all__ = ["FORMATS", "File", "Format"]

File: TypeAlias = Path | BinaryIO


class Format(msgspec.Struct, frozen=True):
    """How one format is written."""

    #: A file for one track, with so many samples of silence first.
    open_sink: Callable[[File, int], Sink]
    #: A file for the mix.
    open_mix: Callable[[File], PcmWriter]
    #: All tracks go into one file, a `MatroskaFile`.
    shared: bool = False


def _ogg(file: File, lead: int) -> Sink:
    return OggOpusWriter(file, lead=lead)


def _ogg_mix(file: File) -> PcmWriter:
    return OpusFile(OggOpusWriter(file))


def _matroska(file: File, lead: int) -> Sink:
    return MatroskaFile(file).track("", lead)


def _matroska_mix(file: File) -> PcmWriter:
    return OpusFile(MatroskaFile(file).track("mix"))


def _decoded(open_pcm: Callable[[File], PcmWriter]) -> Format:
    def open_sink(file: File, lead: int) -> Sink:
        sink = DecodedSink(open_pcm(file))
        sink.pause(lead)
        return sink

    return Format(open_sink, open_pcm)


def _coded(name: str) -> Format:
    return _decoded(lambda file: CodedFile(file, CODINGS[name]))


#: By the ending of the file.
FORMATS: dict[str, Format] = {
    "ogg": Format(_ogg, _ogg_mix),
    "wav": _decoded(WavFile),
    "flac": _coded("flac"),
    "mp3": _coded("mp3"),
    "mka": Format(_matroska, _matroska_mix, shared=True),
    "m4a": _coded("m4a"),
    "mp4": _coded("mp4"),
    "mkv": Format(_matroska, _matroska_mix, shared=True),
    "pcm": _decoded(PcmFile),
}
