"""Records an endless tune at its own pace until it is killed: for the test of that.

Frames are queued in one thread and written in another, as in a call. Arguments: directory, format.
Prints after each turn of the writer how many seconds of audio may not be lost from then on: those
that will be more than a second old when its next turn is due. On a busy machine that turn may come
any time later, and then be killed: what happens to the audio behind these is not our promise.
"""

import sys
import threading
import time
from bisect import bisect

from tests.measure import music
from tests.media.frames import encoded
from voicekit._frame import AudioFrame
from voicekit.media import Recorder
from voicekit.media.recording.running import WORK_INTERVAL, RunningRecording


def main(directory: str, file_format: str) -> None:
    packets = encoded(music(2))
    running = RunningRecording(Recorder(directory, file_format, mix=True))

    arrivals: list[float] = []  # of frames that were handed in

    def work() -> None:
        while True:
            time.sleep(WORK_INTERVAL)
            now = time.monotonic()
            running.work(now)
            print(0.02 * bisect(arrivals, now + WORK_INTERVAL - 1.0), flush=True)

    threading.Thread(target=work, daemon=True).start()
    began = time.monotonic()
    for n in range(10_000):
        time.sleep(max(0.0, began + 0.02 * n - time.monotonic()))
        arrived = time.monotonic()
        frame = AudioFrame(42, 7, packets[n % 100], sequence=n, rtp_time=960 * n, arrived=arrived)
        running.put_many([frame])
        arrivals.append(arrived)


if __name__ == "__main__":
    main(*sys.argv[1:])
