"""Records an endless tune at its own pace until it is killed: for the test of that.

Arguments: directory, format. Prints the seconds recorded, after each frame was handed in.
"""

import sys
import time

from tests.measure import music
from tests.media.frames import encoded
from voicekit._frame import AudioFrame
from voicekit.media import Recorder


def main(directory: str, file_format: str) -> None:
    packets = encoded(music(2))
    recorder = Recorder(directory, file_format, mix=True)
    began = time.monotonic()
    for n in range(10_000):
        time.sleep(max(0.0, began + 0.02 * n - time.monotonic()))
        frame = AudioFrame(
            42, 7, packets[n % 100], sequence=n, rtp_time=960 * n, arrived=time.monotonic()
        )
        recorder.write(frame)
        print((n + 1) * 0.02, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
