"""Records an endless tune at its own pace until it is killed: for the test of that.

Frames are queued in one thread and written in another, as in a call. Arguments: directory, format.
Prints the seconds recorded, after each frame was handed in.
"""

import sys
import threading
import time

from tests.measure import music
from tests.media.frames import encoded
from voicekit._frame import AudioFrame
from voicekit.media import Recorder
from voicekit.media.recording.running import WORK_INTERVAL, RunningRecording


def main(directory: str, file_format: str) -> None:
    packets = encoded(music(2))
    running = RunningRecording(Recorder(directory, file_format, mix=True))

    def work() -> None:
        while True:
            time.sleep(WORK_INTERVAL)
            running.work(time.monotonic())

    threading.Thread(target=work, daemon=True).start()
    began = time.monotonic()
    for n in range(10_000):
        time.sleep(max(0.0, began + 0.02 * n - time.monotonic()))
        frame = AudioFrame(
            42, 7, packets[n % 100], sequence=n, rtp_time=960 * n, arrived=time.monotonic()
        )
        running.put_many([frame])
        print((n + 1) * 0.02, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
