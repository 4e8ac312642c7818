"""Opus encoder and decoder: libopus called in C, through the library that opuslib loaded.

opuslib finds the library and gives the exceptions; its own calls are not used, since its
decoder copies sample by sample and two of its setters do not work.

Importing this module loads libopus, and raises `voicekit.opus_library.OpusNotFound` where
there is none.

Threads: an object may be used by any thread, by one at a time. The GIL is held: one frame
takes 0.1 to 0.3 ms, far below the 5 ms for which a thread that gives up the GIL may have to
wait to get it back. Holding it also keeps two threads out of one encoder.
"""

import ctypes

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.number cimport PyNumber_Index
from libc.stdint cimport int16_t, int32_t, uint32_t, uintptr_t
from libc.string cimport memcpy

from . cimport _opus_ctl as ctl

from .opus_library import load_library

library = load_library()

import opuslib.api  # only now: it can not be imported before libopus is found

from .opus_error import OpusError

__all__ = ["APPLICATIONS", "BANDWIDTHS", "SIGNALS", "Decoder", "Encoder", "OpusError", "library"]

# RFC 6716 section 3.2: a frame of up to 20 ms has at most 1275 bytes, before it the TOC byte;
# of several, each has a length of up to two bytes. Given more room, libopus fills it with
# padding at a fixed bitrate.
cdef enum:
    MAX_FRAME = 1276
    MAX_PACKET = 6 * (MAX_FRAME + 2)

#: Names and numbers of what an encoder is for. Only the last never uses the voice modes.
APPLICATIONS = {"voip": 2048, "audio": 2049, "restricted_lowdelay": 2051}
#: Names and numbers of the audio bandwidths: 4, 6, 8, 12 and 20 kHz.
BANDWIDTHS = {
    "narrowband": 1101,
    "mediumband": 1102,
    "wideband": 1103,
    "superwideband": 1104,
    "fullband": 1105,
}
#: Names and numbers of the hints what the signal is.
SIGNALS = {"auto": ctl.OPUS_AUTO, "voice": 3001, "music": 3002}

cdef dict _BITRATE_CHOICES = {"auto": ctl.OPUS_AUTO, "max": ctl.OPUS_BITRATE_MAX}
cdef dict _BANDWIDTH_CHOICES = {"auto": ctl.OPUS_AUTO, **BANDWIDTHS}
cdef dict _CHANNEL_CHOICES = {"auto": ctl.OPUS_AUTO, 1: 1, 2: 2}
cdef dict _DURATIONS = {
    "argument": 5000, 2.5: 5001, 5: 5002, 10: 5003, 20: 5004, 40: 5005, 60: 5006, 80: 5007,
    100: 5008, 120: 5009,
}

# -- libopus -------------------------------------------------------------------

ctypedef void* (*encoder_create_function)(
    int32_t rate, int channels, int application, int* error) noexcept nogil
ctypedef void* (*decoder_create_function)(int32_t rate, int channels, int* error) noexcept nogil
ctypedef void (*destroy_function)(void* state) noexcept nogil
ctypedef int (*size_function)(int channels) noexcept nogil
ctypedef int32_t (*encode_function)(
    void* state, const void* pcm, int samples, unsigned char* out, int32_t size) noexcept nogil
ctypedef int (*decode_function)(
    void* state, const unsigned char* data, int32_t size, void* pcm, int samples, int fec
) noexcept nogil
ctypedef int (*packet_samples_function)(
    const unsigned char* data, int32_t size, int32_t rate) noexcept nogil


cdef uintptr_t _function(name) except 0:
    return ctypes.cast(getattr(opuslib.api.libopus, name), ctypes.c_void_p).value


cdef encoder_create_function encoder_create = <encoder_create_function> _function(
    "opus_encoder_create")
cdef destroy_function encoder_destroy = <destroy_function> _function("opus_encoder_destroy")
cdef size_function encoder_size = <size_function> _function("opus_encoder_get_size")
cdef ctl_function encoder_ctl = <ctl_function> _function("opus_encoder_ctl")
cdef encode_function encode_int16 = <encode_function> _function("opus_encode")
cdef encode_function encode_float = <encode_function> _function("opus_encode_float")
cdef decoder_create_function decoder_create = <decoder_create_function> _function(
    "opus_decoder_create")
cdef destroy_function decoder_destroy = <destroy_function> _function("opus_decoder_destroy")
cdef ctl_function decoder_ctl = <ctl_function> _function("opus_decoder_ctl")
cdef decode_function decode_int16 = <decode_function> _function("opus_decode")
cdef decode_function decode_float = <decode_function> _function("opus_decode_float")
cdef packet_samples_function packet_samples = <packet_samples_function> _function(
    "opus_packet_get_nb_samples")


# -- arguments -----------------------------------------------------------------

cdef inline int _sample_size(const char* code) noexcept:
    """Bytes per sample, by the buffer's format: 2 for int16 or plain bytes, 4 for float32, or 0."""
    if code == NULL:
        return 2
    if code[0] in (b"@", b"="):  # the machine's byte order
        code += 1
    if code[0] == 0 or code[1] != 0:
        return 0
    if code[0] in (b"B", b"b", b"c", b"h"):
        return 2
    return 4 if code[0] == b"f" else 0


cdef int _open_pcm(object pcm, Py_buffer* view, int flags) except -1:
    """Borrow samples. Return the size of one: 2 for int16 (or plain bytes), 4 for float32."""
    PyObject_GetBuffer(pcm, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags)
    cdef int size = _sample_size(view.format)
    if size and not (view.len % size or <uintptr_t> view.buf % size):
        return size
    cdef str kind = "B" if view.format == NULL else view.format.decode("latin-1")
    PyBuffer_Release(view)
    if size:
        raise ValueError("PCM is cut in the middle of a sample")
    raise TypeError(f"PCM is bytes, int16 or float32, not a buffer of {kind!r}")


cdef int32_t _number_of(dict choices, value, str name) except? -1:
    try:
        return choices[value]
    except (KeyError, TypeError):
        allowed = ", ".join(map(repr, choices))
        raise ValueError(f"{name} is one of {allowed}, not {value!r}") from None


cdef int _check_format(int sample_rate, int channels) except -1:
    if sample_rate not in (8000, 12000, 16000, 24000, 48000):
        raise ValueError(f"sample_rate is 8000, 12000, 16000, 24000 or 48000, not {sample_rate}")
    if channels not in (1, 2):
        raise ValueError(f"channels is 1 or 2, not {channels}")
    return 0


cdef class Codec:
    """What encoder and decoder share. Use `Encoder` and `Decoder`."""

    def __cinit__(self, *args, **settings):
        if not isinstance(self, (Encoder, Decoder)):
            raise TypeError("use Encoder or Decoder")  # nothing here works without a state

    cdef int _get(self, int request, str name) except? -1:
        cdef int32_t value = 0
        cdef int error = self._ctl(self._state, request, &value)
        if error != ctl.OPUS_OK:
            raise OpusError(error, name)
        return value

    cdef int _set(self, int request, int32_t value, str name) except -1:
        cdef int error = self._ctl(self._state, request, value)
        if error != ctl.OPUS_OK:
            raise OpusError(error, name)
        return 0

    cdef int _set_within(self, int request, value, int low, int high, str name) except -1:
        if not low <= PyNumber_Index(value) <= high:
            raise ValueError(f"{name} is {low} to {high}, not {value!r}")
        return self._set(request, value, name)

    cdef int _set_named(self, int request, dict choices, value, str name) except -1:
        return self._set(request, _number_of(choices, value, name), name)

    cdef object _get_named(self, int request, dict choices, str name):
        cdef int number = self._get(request, name)
        for key, value in choices.items():
            if value == number:
                return key
        raise OpusError(ctl.OPUS_BAD_ARG, f"{name} {number}")

    cdef int _check_frame(self, Py_ssize_t samples) except -1:
        # In units of 2.5 ms: 2.5, 5, 10, then every 20 ms up to 120.
        cdef int unit = self.sample_rate // 400
        cdef Py_ssize_t units = samples // unit
        if samples % unit or not (units in (1, 2, 4) or (units % 8 == 0 and 8 <= units <= 48)):
            sizes = ", ".join(str(n * unit) for n in (1, 2, 4, 8, 16, 24, 32, 40, 48))
            raise ValueError(
                f"the frame has {samples} samples per channel; at {self.sample_rate} Hz it"
                f" is one of {sizes}")
        return <int> samples

    def reset(self):
        """Forget the signal so far; the settings stay."""
        cdef int error = self._ctl(self._state, ctl.RESET_STATE)
        if error != ctl.OPUS_OK:
            raise OpusError(error, "reset")

    @property
    def final_range(self):
        """State of the range coder after the last frame; equal on both sides if all is well."""
        cdef uint32_t value = 0
        cdef int error = self._ctl(self._state, ctl.GET_FINAL_RANGE, &value)
        if error != ctl.OPUS_OK:
            raise OpusError(error, "final_range")
        return value

    @property
    def complexity(self):
        """CPU against quality, 0 to 10. A decoder has it too (libopus 1.5): better concealment."""
        return self._get(ctl.SET_COMPLEXITY + 1, "complexity")

    @complexity.setter
    def complexity(self, value):
        self._set_within(ctl.SET_COMPLEXITY, value, 0, 10, "complexity")

    @property
    def phase_inversion_disabled(self):
        """Never invert a channel: for material that is mixed down to mono (libopus 1.2)."""
        return bool(self._get(ctl.SET_PHASE_INVERSION_DISABLED + 1, "phase_inversion_disabled"))

    @phase_inversion_disabled.setter
    def phase_inversion_disabled(self, bint value):
        self._set(ctl.SET_PHASE_INVERSION_DISABLED, value, "phase_inversion_disabled")


cdef class Encoder(Codec):
    """Samples in, Opus packets out.

    ``sample_rate`` is 8000, 12000, 16000, 24000 or 48000, ``channels`` 1 or 2 (interleaved),
    ``application`` ``"audio"``, ``"voip"`` or ``"restricted_lowdelay"``.

    The defaults are libopus's own. They keep music in the CELT mode: forward error correction
    would force the hybrid mode, at three times the CPU cost, and a link that loses packets
    is the caller's to know of (`inband_fec`, `packet_loss_perc`). docs/performance.md has a
    table of what each setting costs.
    """

    def __cinit__(self, int sample_rate=48000, int channels=2, str application="audio"):
        _check_format(sample_rate, channels)
        cdef int number = _number_of(APPLICATIONS, application, "application")
        cdef int error = ctl.OPUS_OK
        self.sample_rate = sample_rate
        self.channels = channels
        self._ctl = encoder_ctl
        self._state = encoder_create(sample_rate, channels, number, &error)
        if self._state == NULL:
            raise OpusError(error, "opus_encoder_create")

    def __dealloc__(self):
        if self._state != NULL:
            encoder_destroy(self._state)

    def encode(self, pcm):
        """Encode one frame of 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms.

        ``pcm`` is a contiguous buffer: int16, float32 (-1 to 1), or bytes that hold int16 in
        the machine's order. Raises ``ValueError`` for another length.
        """
        # Into a buffer of its own: a bytes object that is made full size and cut afterwards
        # costs 55 ns more than the copy of the few bytes that come out.
        cdef unsigned char out[MAX_PACKET]
        cdef int size = self._encode(pcm, out, MAX_PACKET)
        return PyBytes_FromStringAndSize(<char*> out, size)

    def encode_into(self, pcm, buffer):
        """Encode one frame into a writable buffer; return the size of the packet.

        The packet never gets larger than the buffer: a small one lowers the bitrate of the
        frame. 1276 bytes hold any frame of up to 20 ms.
        """
        cdef Py_buffer out
        PyObject_GetBuffer(buffer, &out, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            return self._encode(pcm, <unsigned char*> out.buf, <int32_t> min(out.len, MAX_PACKET))
        finally:
            PyBuffer_Release(&out)

    def save(self):
        """Return the whole state, settings too: 48 KB for stereo, for `restore`.

        opus.h: "the encoder state is always continuous in memory and only a shallow copy is
        necessary to copy it".
        """
        return PyBytes_FromStringAndSize(<char*> self._state, encoder_size(self.channels))

    def restore(self, bytes saved not None):
        """Go back to what `save` of this encoder, or of one made alike, has returned.

        From there on it encodes as if what came in between had never been. Raises
        ``ValueError`` for a state of another size.
        """
        cdef Py_ssize_t size = encoder_size(self.channels)
        if len(saved) != size:
            raise ValueError(f"the state of this encoder has {size} bytes, not {len(saved)}")
        memcpy(self._state, <const char*> PyBytes_AS_STRING(saved), size)

    cdef int _encode(self, pcm, unsigned char* out, int32_t capacity) except -1:
        cdef Py_buffer view
        cdef int item = _open_pcm(pcm, &view, PyBUF_SIMPLE)
        cdef int32_t size
        try:
            if view.len % (item * self.channels):
                raise ValueError("PCM is cut between the channels of a sample")
            samples = self._check_frame(view.len // (item * self.channels))
            size = self.encode_c(view.buf, samples, item, out, capacity)
        finally:
            PyBuffer_Release(&view)
        if size < 0:
            raise OpusError(size, "encode")
        return size

    cdef int32_t encode_c(self, const void* pcm, int samples, int item, unsigned char* out,
                          int32_t capacity) noexcept nogil:
        cdef int frames = (samples * 50 - 1) // self.sample_rate + 1
        cdef int32_t most = MAX_FRAME if frames == 1 else frames * (MAX_FRAME + 2)
        if capacity > most:
            capacity = most
        if item == sizeof(float):
            return encode_float(self._state, pcm, samples, out, capacity)
        return encode_int16(self._state, pcm, samples, out, capacity)

    @property
    def application(self):
        """What the encoder is for; to be changed before the first frame, or after `reset`."""
        return self._get_named(ctl.SET_APPLICATION + 1, APPLICATIONS, "application")

    @application.setter
    def application(self, value):
        self._set_named(ctl.SET_APPLICATION, APPLICATIONS, value, "application")

    @property
    def bitrate(self):
        """Bits per second, 500 to 512000, ``"auto"`` or ``"max"``; reads as the number in use."""
        return self._get(ctl.SET_BITRATE + 1, "bitrate")

    @bitrate.setter
    def bitrate(self, value):
        if isinstance(value, str):
            self._set_named(ctl.SET_BITRATE, _BITRATE_CHOICES, value, "bitrate")
        else:
            self._set_within(ctl.SET_BITRATE, value, 500, 512000, "bitrate")

    @property
    def bandwidth(self):
        """Bandwidth of the last frame; setting one forces it, ``"auto"`` frees it."""
        return self._get_named(ctl.SET_BANDWIDTH + 1, _BANDWIDTH_CHOICES, "bandwidth")

    @bandwidth.setter
    def bandwidth(self, value):
        self._set_named(ctl.SET_BANDWIDTH, _BANDWIDTH_CHOICES, value, "bandwidth")

    @property
    def max_bandwidth(self):
        """The widest that is chosen automatically."""
        return self._get_named(ctl.SET_MAX_BANDWIDTH + 1, BANDWIDTHS, "max_bandwidth")

    @max_bandwidth.setter
    def max_bandwidth(self, value):
        self._set_named(ctl.SET_MAX_BANDWIDTH, BANDWIDTHS, value, "max_bandwidth")

    @property
    def signal(self):
        """A hint: ``"auto"``, ``"voice"`` or ``"music"``."""
        return self._get_named(ctl.SET_SIGNAL + 1, SIGNALS, "signal")

    @signal.setter
    def signal(self, value):
        self._set_named(ctl.SET_SIGNAL, SIGNALS, value, "signal")

    @property
    def vbr(self):
        """Variable bitrate, the default. False: every packet has the same size."""
        return bool(self._get(ctl.SET_VBR + 1, "vbr"))

    @vbr.setter
    def vbr(self, bint value):
        self._set(ctl.SET_VBR, value, "vbr")

    @property
    def vbr_constraint(self):
        """Bound how far variable bitrate may swing, the default."""
        return bool(self._get(ctl.SET_VBR_CONSTRAINT + 1, "vbr_constraint"))

    @vbr_constraint.setter
    def vbr_constraint(self, bint value):
        self._set(ctl.SET_VBR_CONSTRAINT, value, "vbr_constraint")

    @property
    def force_channels(self):
        """Force mono (1) or stereo (2) packets, whatever comes in; ``"auto"`` by default."""
        return self._get_named(ctl.SET_FORCE_CHANNELS + 1, _CHANNEL_CHOICES, "force_channels")

    @force_channels.setter
    def force_channels(self, value):
        if value == 2 and self.channels == 1:
            raise ValueError("an encoder with one channel can not be forced to two")
        self._set_named(ctl.SET_FORCE_CHANNELS, _CHANNEL_CHOICES, value, "force_channels")

    @property
    def inband_fec(self):
        """Forward error correction: 0 off, 1 on (forces the voice modes), 2 on for voice only.

        2 needs libopus 1.4. Takes effect together with `packet_loss_perc`.
        """
        return self._get(ctl.SET_INBAND_FEC + 1, "inband_fec")

    @inband_fec.setter
    def inband_fec(self, value):
        self._set_within(ctl.SET_INBAND_FEC, value, 0, 2, "inband_fec")

    @property
    def packet_loss_perc(self):
        """Loss to expect, in percent, 0 to 100."""
        return self._get(ctl.SET_PACKET_LOSS_PERC + 1, "packet_loss_perc")

    @packet_loss_perc.setter
    def packet_loss_perc(self, value):
        self._set_within(ctl.SET_PACKET_LOSS_PERC, value, 0, 100, "packet_loss_perc")

    @property
    def dtx(self):
        """Discontinuous transmission: one-byte packets during silence."""
        return bool(self._get(ctl.SET_DTX + 1, "dtx"))

    @dtx.setter
    def dtx(self, bint value):
        self._set(ctl.SET_DTX, value, "dtx")

    @property
    def in_dtx(self):
        """Whether the last frame was sent as silence (libopus 1.3)."""
        return bool(self._get(ctl.GET_IN_DTX, "in_dtx"))

    @property
    def lsb_depth(self):
        """Bits of the source that mean something, 8 to 24: helps to find silence."""
        return self._get(ctl.SET_LSB_DEPTH + 1, "lsb_depth")

    @lsb_depth.setter
    def lsb_depth(self, value):
        self._set_within(ctl.SET_LSB_DEPTH, value, 8, 24, "lsb_depth")

    @property
    def expert_frame_duration(self):
        """Milliseconds that are coded of each call; ``"argument"``: all that is given."""
        return self._get_named(
            ctl.SET_EXPERT_FRAME_DURATION + 1, _DURATIONS, "expert_frame_duration")

    @expert_frame_duration.setter
    def expert_frame_duration(self, value):
        self._set_named(ctl.SET_EXPERT_FRAME_DURATION, _DURATIONS, value, "expert_frame_duration")

    @property
    def prediction_disabled(self):
        """Make every frame stand (almost) alone: a loss harms less, at the same rate more."""
        return bool(self._get(ctl.SET_PREDICTION_DISABLED + 1, "prediction_disabled"))

    @prediction_disabled.setter
    def prediction_disabled(self, bint value):
        self._set(ctl.SET_PREDICTION_DISABLED, value, "prediction_disabled")

    @property
    def dred_duration(self):
        """Deep redundancy, in units of 10 ms, 0 to 104; needs a libopus built with it."""
        return self._get(ctl.SET_DRED_DURATION + 1, "dred_duration")

    @dred_duration.setter
    def dred_duration(self, value):
        self._set_within(ctl.SET_DRED_DURATION, value, 0, 104, "dred_duration")

    @property
    def lookahead(self):
        """Samples by which the decoded signal comes later than the source: 312 at 48 kHz."""
        return self._get(ctl.GET_LOOKAHEAD, "lookahead")


cdef class Decoder(Codec):
    """Opus packets in, samples out.

    ``sample_rate`` is 8000, 12000, 16000, 24000 or 48000, ``channels`` 1 or 2 (interleaved);
    packets of any rate and either number of channels are converted.
    """

    def __cinit__(self, int sample_rate=48000, int channels=2):
        cdef int error = ctl.OPUS_OK
        _check_format(sample_rate, channels)
        self.sample_rate = sample_rate
        self.channels = channels
        self._ctl = decoder_ctl
        self._state = decoder_create(sample_rate, channels, &error)
        if self._state == NULL:
            raise OpusError(error, "opus_decoder_create")

    def __dealloc__(self):
        if self._state != NULL:
            decoder_destroy(self._state)

    def decode(self, packet, *, bint fec=False, frame_size=None):
        """Decode one packet to int16 samples in the machine's order, channels interleaved.

        ``packet`` None conceals a lost one. With ``fec`` the packet is the one *after* the
        lost one, and what it repeats of the lost one comes out, or concealment if nothing;
        decode it again without ``fec`` for its own content. In both cases ``frame_size`` is
        how much was lost, in samples per channel (None: 20 ms).

        Raises `OpusError` for what is not Opus, ``ValueError`` for a wrong ``frame_size``.
        """
        cdef Py_buffer data
        cdef int samples
        if packet is None:
            samples = self._concealed_size(frame_size)
            return self._decode(NULL, 0, samples, False)
        PyObject_GetBuffer(packet, &data, PyBUF_SIMPLE)
        try:
            if fec:
                samples = self._concealed_size(frame_size)
            else:
                samples = self._packet_size(&data)
            return self._decode(<unsigned char*> data.buf, <int32_t> data.len, samples, fec)
        finally:
            PyBuffer_Release(&data)

    def decode_into(self, packet, buffer, *, bint fec=False, frame_size=None):
        """As `decode`, into a writable buffer of int16, float32, or bytes for int16.

        Return the number of samples per channel. Raises ``ValueError`` if it is too small.
        """
        cdef Py_buffer data, out
        cdef bint has_packet = packet is not None
        cdef int item, samples, result
        data.buf, data.len = NULL, 0
        if has_packet:
            PyObject_GetBuffer(packet, &data, PyBUF_SIMPLE)
        try:
            if has_packet and not fec:
                samples = self._packet_size(&data)
            else:
                samples = self._concealed_size(frame_size)
            item = _open_pcm(buffer, &out, PyBUF_WRITABLE)
            try:
                if samples * self.channels * item > out.len:
                    raise ValueError(
                        f"{samples} samples per channel need {samples * self.channels * item}"
                        f" bytes; the buffer has {out.len}")
                result = self.decode_c(
                    <unsigned char*> data.buf, <int32_t> data.len, out.buf, samples, item, fec)
            finally:
                PyBuffer_Release(&out)
        finally:
            if has_packet:
                PyBuffer_Release(&data)
        if result < 0:
            raise OpusError(result, "decode")
        return result

    cdef int decode_c(self, const unsigned char* packet, int32_t size, void* pcm, int samples,
                      int item, bint fec) noexcept nogil:
        if item == sizeof(float):
            return decode_float(self._state, packet, size, pcm, samples, fec)
        return decode_int16(self._state, packet, size, pcm, samples, fec)

    cdef int _concealed_size(self, frame_size) except -1:
        if frame_size is None:
            return self.sample_rate // 50
        # Any multiple of 2.5 ms, unlike a frame to encode.
        cdef int unit = self.sample_rate // 400
        if not unit <= frame_size <= 48 * unit or frame_size % unit:
            raise ValueError(
                f"frame_size is a multiple of {unit} up to {48 * unit}, not {frame_size!r}")
        return frame_size

    cdef int _packet_size(self, Py_buffer* data) except -1:
        # An empty packet would mean loss to libopus; here None does, so that a bug upstream
        # is seen.
        cdef int samples = ctl.OPUS_INVALID_PACKET
        if 0 < data.len <= 0x7FFFFFFF:
            samples = packet_samples(
                <unsigned char*> data.buf, <int32_t> data.len, self.sample_rate)
        if samples <= 0:
            raise OpusError(samples or ctl.OPUS_INVALID_PACKET, "decode")
        return samples

    cdef bytes _decode(self, const unsigned char* data, int32_t size, int samples, bint fec):
        cdef Py_ssize_t width = 2 * self.channels
        cdef bytes pcm = PyBytes_FromStringAndSize(NULL, samples * width)
        cdef int result = self.decode_c(
            data, size, PyBytes_AS_STRING(pcm), samples, sizeof(int16_t), fec)
        if result < 0:
            raise OpusError(result, "decode")
        return pcm if result == samples else pcm[: result * width]

    @property
    def bandwidth(self):
        """Bandwidth of the last packet, or None before the first."""
        return self._get_named(ctl.SET_BANDWIDTH + 1, {None: 0, **BANDWIDTHS}, "bandwidth")

    @property
    def gain(self):
        """Amplification of what comes out, in 1/256 dB, -32768 to 32767."""
        return self._get(ctl.GET_GAIN, "gain")

    @gain.setter
    def gain(self, value):
        self._set_within(ctl.SET_GAIN, value, -32768, 32767, "gain")

    @property
    def pitch(self):
        """Pitch period of the last frame in samples at 48 kHz; 0 if there is none."""
        return self._get(ctl.GET_PITCH, "pitch")

    @property
    def last_packet_duration(self):
        """Samples per channel of the last packet that was decoded or concealed."""
        return self._get(ctl.GET_LAST_PACKET_DURATION, "last_packet_duration")
