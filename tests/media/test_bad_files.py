"""Damaged files, failing file objects: a `MediaError` of one line, and what was sound plays."""

import io
import random

import numpy as np
import pytest

from tests.measure import music
from tests.media.files import wav
from tests.media.formats import FORMATS
from voicekit.errors import MediaError
from voicekit.media import open_source, probe

PCM = music(0.6)


class Failing(io.BytesIO):
    """A file that raises after so many reads."""

    def __init__(self, content: bytes, reads: int, error: Exception) -> None:
        super().__init__(content)
        self.reads = reads
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads -= 1
        if self.reads < 0:
            raise self._error
        return super().read(size)


ERRORS = [OSError(5, "Input/output error"), ValueError("two\nlines"), RuntimeError(), KeyError("x")]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("reads", [0, 1, 2])
def test_a_file_object_that_fails_at_the_start_is_named(reads: int, error: Exception) -> None:
    for read in (open_source, probe):
        with pytest.raises(MediaError, match="can not read the given stream: ") as raised:
            read(Failing(wav(PCM), reads, error))
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_file_object_that_fails_later_plays_up_to_there(error: Exception) -> None:
    file = Failing(wav(np.zeros((2_000_000, 2), np.int16)), 1000, error)
    source = open_source(file)
    file.reads = 2
    frames: list[bytes | None] = []
    with pytest.raises(MediaError, match="can not read the given stream: ") as raised:
        frames.extend(iter(source.read_pcm, None))
    assert "\n" not in str(raised.value)
    assert len(frames) > 3
    source.close()


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_framed_opus_that_fails_is_named(error: Exception) -> None:
    content = b"\1\0\0\0\xf8" * 5
    with pytest.raises(MediaError, match="can not read the given stream: "):
        open_source(Failing(content, 4, error), format="framed-opus")


def test_a_file_object_of_text_is_told_so() -> None:
    with pytest.raises(MediaError, match="gives str, not bytes: open it 'rb'"):
        open_source(io.StringIO("abc"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a file is a path, bytes"):
        open_source(5)  # type: ignore[arg-type]


def test_a_file_object_that_is_closed_is_named() -> None:
    file = io.BytesIO(wav(PCM))
    file.close()
    with pytest.raises(MediaError, match="closed"):
        open_source(file)


def test_a_path_with_a_nul_is_named() -> None:
    with pytest.raises(MediaError, match="null"):
        open_source("a\0b")


def played(content: bytes, start: float = 0.0) -> tuple[int, str]:
    """Return how many frames came out, and the error, or nothing."""
    frames = 0
    try:
        source = open_source(content, start=start)
        for _ in iter(source.read, None):
            frames += 1
        source.seek(0.1)
        source.read_pcm()
        source.close()
    except MediaError as error:
        return frames, str(error)
    return frames, ""


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_cut_off_plays_what_is_there(name: str) -> None:
    made = FORMATS[name].make(PCM)
    frames, error = played(made[: len(made) // 2])
    assert "\n" not in error
    if frames:
        assert 5 <= frames <= 31
    else:  # MP4 has its index at the end; of Ogg half a page is left
        assert FORMATS[name].container in ("mp4", "ipod", "ogg")
        assert "is not a media file, or is damaged" in error


@pytest.mark.parametrize("name", FORMATS)
def test_damage_anywhere_is_survived(name: str) -> None:
    """Any bytes: frames come out, or one error of one line; never anything else."""
    made = FORMATS[name].make(PCM)
    for seed in range(6):
        rng = random.Random(f"{name} {seed}")
        damaged = bytearray(made)
        for _ in range(1 + seed):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randrange(1, 200)] = rng.randbytes(rng.randrange(200))
        start = rng.choice([0.0, 0.2])
        frames, error = played(bytes(damaged), start)
        assert frames or error or start
        assert "\n" not in error
        assert not error or error.startswith("the given data ")


def test_nothing_but_silence_is_played() -> None:
    source = open_source(wav(np.zeros((4800, 2), np.int16)), normalize=-16.0)
    assert len(list(iter(source.read, None))) == 5
