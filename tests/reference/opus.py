"""The duration of an Opus packet: RFC 6716 §3.1, table 2, and §3.2."""

#: configs, frame sizes in milliseconds, in the rows of table 2.
TABLE_2 = [
    (range(4), (10, 20, 40, 60)),  # SILK-only, narrowband
    (range(4, 8), (10, 20, 40, 60)),  # SILK-only, mediumband
    (range(8, 12), (10, 20, 40, 60)),  # SILK-only, wideband
    (range(12, 14), (10, 20)),  # hybrid, super-wideband
    (range(14, 16), (10, 20)),  # hybrid, fullband
    (range(16, 20), (2.5, 5, 10, 20)),  # CELT-only, narrowband
    (range(20, 24), (2.5, 5, 10, 20)),  # CELT-only, wideband
    (range(24, 28), (2.5, 5, 10, 20)),  # CELT-only, super-wideband
    (range(28, 32), (2.5, 5, 10, 20)),  # CELT-only, fullband
]


def milliseconds_per_frame(config: int) -> float:
    for configs, sizes in TABLE_2:
        if config in configs:
            return sizes[config - configs.start]
    raise AssertionError(config)


def duration(packet: bytes) -> int:
    """Samples at 48 kHz; 0 for what breaks requirement R1 or R5, or holds no frame."""
    if not packet:
        return 0
    match packet[0] % 4:
        case 0:
            frames = 1
        case 1 | 2:
            frames = 2
        case _:
            if len(packet) < 2:
                return 0
            frames = packet[1] % 64
    total = frames * milliseconds_per_frame(packet[0] // 8)
    return int(total * 48) if total <= 120 else 0
