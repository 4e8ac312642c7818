# The client's gateway machine. Its tables are in gateway_states.py.


cdef enum:
    CONNECT_TIMER  # no session, or no link under it, for too long
    UPDATE_TIMER  # the host brings nothing
    BACKOFF_TIMER  # time to dial again
    HEARTBEAT_TIMER  # time to beat; before Hello: time to give up on it
    TIMERS


cdef class Gateway:
    cdef object _config
    cdef object _updates  # what the host brought
    cdef int _version
    cdef int _max_dave_version
    cdef object _state
    cdef object _heartbeat
    cdef object _retries
    cdef list _queue  # outputs and events to be polled
    cdef Py_ssize_t _polled  # how many of them were
    cdef double _timers[TIMERS]  # absolute; infinity: not armed
    cdef double _max_lateness

    # The link.
    cdef long long _link  # 0: none
    cdef long long _links
    cdef int _violations_in_a_row

    # The session.
    cdef object _session
    cdef list _kept  # messages to send once it is resumed
    cdef object _waiting_code  # close code that led to AWAITING_UPDATE or AWAITING_SESSION

    # Counters.
    cdef readonly int violations
    cdef readonly int ignored
    cdef readonly int reconnects
    cdef readonly int resumes

    cdef int _require(self, tuple states, str call) except -1
    cdef bint _move(self, object cause, double now) except -1
    cdef int _forget_session(self) except -1
    cdef int _open_link(self) except -1
    cdef int _close_link(self, int code) except -1
    cdef bint _is_current(self, long long link) except -1
    cdef bint _is_receiving(self, long long link) except -1
    cdef int _transmit(self, object payload) except -1
    cdef int _begin_anew(self, object cause, object policy, str why, double now) except -1
    cdef int _apply_update(self, object cause, double now) except -1
    cdef int _time_out(self, int timer, double late, double now) except -1
    cdef int _beat(self, bint asked, double now) except -1
    cdef int _lost(self, object code, str reason, str why, double now) except -1
    cdef int _pause(self, object policy, object code, str why, double now) except -1
    cdef int _need_new_session(self, object code, str why) except -1
    cdef int _conclude(self, object code, object policy, str why, object error) except -1
    cdef int _finish(
        self, object cause, object code, object policy, str why, object error, double now
    ) except -1
    cdef int _receive(self, object message, bint binary, double now) except -1
    cdef int _step(self, object message, double now) except -1
    cdef int _take(self, object message, double now) except -1
    cdef int _report(self, int op, object message) except -1
    cdef int _violated(self, object error, double now) except -1
