"""A call in a thread of its own, for programs that block: thread_driver.py FILE ENDPOINT.

The thread runs the loop of selectors_loop.py. Whatever the program wants of the call is a job
that it hands in, from whichever thread: nothing else touches the connection, so nothing is locked
and nothing overlaps.
"""

import queue
import sys
import threading
import time
from concurrent.futures import Future

from selectors_loop import Call

from voicekit import VoiceServerInfo, media

FRAME = 0.02
#: What the end of a program may have to wait for: the silence, and the goodbye.
LEAVE_TIMEOUT = 1.0


class ThreadedCall:
    """One call, for the length of a ``with`` block. Methods may be called from any thread.

    ``on_event`` is called in the call's thread.
    """

    def __init__(self, info, on_event=lambda event: None):
        self._info, self._on_event = info, on_event
        self._jobs = queue.SimpleQueue()
        self._stopped, self._leaving = threading.Event(), threading.Event()
        self._ended = RuntimeError("the call was left")

    def __enter__(self):
        self._call = Call(self._info, self._on_event)
        self._thread = threading.Thread(target=self._run, name="voice")
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self._leaving.set()
        self._thread.join()
        self._refuse()

    def submit(self, job):
        """Have ``job(call)`` done by the call's thread, within a frame; return its `Future`."""
        future = Future()
        self._jobs.put((future, job))
        if not self._thread.is_alive():
            self._refuse()
        return future

    def play(self, packets):
        """Play Opus packets after what plays now; the `Future` is done when they are out."""

        def play(call):
            self._stopped.clear()
            call.play(self._until_stopped(packets))

        return self.submit(play)

    def stop(self):
        """End what plays now, with the silence that ends speech."""
        self._stopped.set()

    def _until_stopped(self, packets):
        for packet in packets:
            if self._stopped.is_set():
                return
            yield packet

    def _run(self):
        call = self._call
        try:
            call.call(call.connection.start)
            while not call.connection.is_closed and not self._leaving.is_set():
                call.run(time.monotonic() + FRAME)
                while not self._jobs.empty():
                    self._do(*self._jobs.get())
        except Exception as error:  # what the call ended with, for whoever still wants something
            self._ended = error
        finally:
            self._leave()
            self._refuse()

    def _do(self, future, job):
        try:
            future.set_result(job(self._call))
        except Exception as error:
            future.set_exception(error)
            if self._call.connection.is_closed:
                self._ended = error

    def _refuse(self):
        while not self._jobs.empty():
            self._jobs.get()[0].set_exception(self._ended)

    def _leave(self):
        call, end = self._call, time.monotonic() + LEAVE_TIMEOUT
        call.call(call.connection.close)
        while call.websockets and time.monotonic() < end:
            call.run(time.monotonic() + FRAME)
        for sock in [*call.websockets.values(), *call.udp.values()]:
            sock.close()
        call.selector.close()


if __name__ == "__main__":
    me = {"server_id": 1, "channel_id": 2, "user_id": 3, "session_id": "s", "token": "t"}
    source = media.open_source(sys.argv[1])
    with ThreadedCall(VoiceServerInfo(endpoint=sys.argv[2], **me), on_event=print) as call:
        call.play(iter(source.read, None)).result()
    source.close()
