"""Sinks that remember, and packets to tell apart in them."""

#: CELT, full band, one frame of 20 ms, stereo.
TOC = b"\xfc"


class Places:
    """A sink that remembers where each packet begins, in samples."""

    def __init__(self) -> None:
        self.samples = 0
        self.places: list[tuple[int, bytes]] = []
        self.concealed = 0

    @property
    def packets(self) -> list[bytes]:
        return [packet for _, packet in self.places]

    def write(self, opus: bytes) -> None:
        self.places.append((self.samples, opus))
        self.samples += 960

    def conceal(self, samples: int, following: bytes = b"") -> None:
        self.samples += samples
        self.concealed += samples

    def pause(self, samples: int) -> None:
        self.samples += samples

    def close(self) -> None:
        pass


def numbered(count: int) -> list[bytes]:
    return [TOC + n.to_bytes(4, "big") + bytes(20) for n in range(count)]
