"""URLs: fetched, sought, and given up when nothing comes. Servers on this machine only."""

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.measure import music
from tests.media.files import made_by_ffmpeg, wav
from tests.media.frames import encoded
from tests.media.test_loops import ogg_of
from voicekit.errors import MediaError
from voicekit.media import open_source, probe

PCM = music(1)
FILES = {"/a.wav": wav(PCM), "/a.ogg": ogg_of(encoded(PCM)), "/a.txt": b"just words\n" * 30}
#: Patience with a server that says nothing, in seconds.
TIMEOUT = 1.0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content = FILES.get(self.path)
        if content is None:
            self.send_error(404)
            return
        first = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Connection", "close")
        self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        with contextlib.suppress(OSError):  # FFmpeg hangs up when it seeks
            self.wfile.write(content[first:])

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does whatever it likes with each connection, and then says nothing more."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                answer(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in connections:
            connection.close()


def test_a_url_plays_like_a_file(url: str) -> None:
    source = open_source(f"{url}/a.wav")
    pcm = b"".join(iter(source.read_pcm, None))
    assert np.array_equal(np.frombuffer(pcm, np.int16).reshape(-1, 2), PCM)
    assert source.duration == pytest.approx(1)
    source.close()


def test_opus_from_a_url_passes_through(url: str) -> None:
    source = open_source(f"{url}/a.ogg")
    assert source.passthrough
    assert list(iter(source.read, None)) == encoded(PCM)
    source.close()


def test_a_url_is_sought(url: str) -> None:
    source = open_source(f"{url}/a.wav", start=0.5)
    first = np.frombuffer(source.read_pcm() or b"", np.int16).reshape(-1, 2)
    assert np.array_equal(first, PCM[24_000:24_960])
    source.seek(0.1)
    again = np.frombuffer(source.read_pcm() or b"", np.int16).reshape(-1, 2)
    assert np.array_equal(again, PCM[4800:5760])
    source.close()


def test_a_url_is_probed(url: str) -> None:
    info = probe(f"{url}/a.ogg")
    assert (info.codec, info.duration) == ("opus", pytest.approx(1, abs=0.02))


def test_a_url_is_levelled_as_it_comes(url: str) -> None:
    source = open_source(f"{url}/a.wav", normalize=-23.0)
    assert len(list(iter(source.read, None))) == pytest.approx(50, abs=2)
    source.close()


@pytest.mark.parametrize("path", ["/missing.mp3", "/a.txt"])
def test_a_url_without_audio_is_one_line_that_names_it(url: str, path: str) -> None:
    for read in (open_source, probe):
        with pytest.raises(MediaError, match=f"{path}: ") as raised:
            read(url + path)
        assert "\n" not in str(raised.value)


def test_what_is_secret_in_a_url_is_not_told(url: str) -> None:
    secret = url.replace("//", "//user:hunter2@") + "/missing.mp3?key=hunter2"
    with pytest.raises(MediaError) as raised:
        open_source(secret)
    assert f"{url}/missing.mp3: " in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(MediaError, match=rf"can not open http://127\.0\.0\.1:{port}/a\.mp3: "):
        open_source(f"http://127.0.0.1:{port}/a.mp3", timeout=TIMEOUT)


def test_a_server_that_never_answers_is_given_up() -> None:
    with (
        raw_server(lambda connection: None) as url,
        pytest.raises(MediaError, match=r"can not open http.*: nothing came for 1 s"),
    ):
        open_source(f"{url}/a.mp3", timeout=TIMEOUT)


def test_a_server_that_stalls_in_the_middle_is_given_up() -> None:
    content = wav(music(6))

    def answer(connection: socket.socket) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content[: len(content) // 2])

    with raw_server(answer) as url:
        source = open_source(f"{url}/a.wav", timeout=TIMEOUT)
        frames: list[bytes | None] = []
        with pytest.raises(MediaError, match=r"can not be read to its end: nothing came for 1 s"):
            frames.extend(iter(source.read_pcm, None))
        assert len(frames) > 100, "what came is played"
        source.read_pcm()  # what was less than a frame
        assert source.read_pcm() is None, "and then it is at its end"
        source.close()


def test_a_playlist_from_the_net_reads_no_file_of_this_machine(url: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp3"
    secret.write_bytes(made_by_ffmpeg(PCM, "mp3", "libmp3lame"))
    lines = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    FILES["/list.m3u8"] = lines.format(secret.as_uri()).encode()
    with pytest.raises(MediaError):
        open_source(f"{url}/list.m3u8", timeout=2)
