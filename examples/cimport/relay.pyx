"""A library's own Cython on top of voicekit's: seal and open packets by C calls.

A relay takes one user's packets out of one call and sends them into another one, with another
key. What ends in ``_c`` needs no Python call, and an attribute of a `cdef class` no dictionary.
"""

from voicekit._frame cimport AudioFrame
from voicekit._session cimport RtpSession


def relay(RtpSession source not None, RtpSession target not None, datagrams, double now):
    """Return datagrams for the call of ``target``, of what came in that of ``source``.

    What can not be opened is missing; ``source.drops`` says why.
    """
    cdef list sealed = []
    cdef AudioFrame frame
    cdef bytes datagram
    for data in datagrams:
        frame = source.receive_c(data, now)
        if frame is None:
            continue
        datagram = target.seal_audio_c(frame.opus, now)
        if datagram is not None:
            sealed.append(datagram)
    return sealed
