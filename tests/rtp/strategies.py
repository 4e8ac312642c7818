"""Hypothesis strategies for RTP packets, as the reference has them."""

from hypothesis import strategies as st

from tests.reference import rtp as reference

u7 = st.integers(0, 0x7F)
u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFF_FFFF)

one_byte_elements = st.lists(
    st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), max_size=6
)
two_byte_elements = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=255)), max_size=6)
#: (profile, elements)
extensions = st.one_of(
    st.tuples(st.just(0xBEDE), one_byte_elements),
    st.tuples(st.integers(0x1000, 0x100F), two_byte_elements),
)


@st.composite
def packets(draw: st.DrawFn, payload_types: st.SearchStrategy[int] = u7):
    packet = reference.Packet(
        sequence=draw(u16),
        timestamp=draw(u32),
        ssrc=draw(u32),
        payload_type=draw(payload_types),
        marker=draw(st.booleans()),
        csrcs=tuple(draw(st.lists(u32, max_size=15))),
        payload=draw(st.binary(max_size=400)),
        padding=draw(st.one_of(st.just(0), u8)),
    )
    if draw(st.booleans()):
        packet.extension_profile = draw(st.one_of(st.sampled_from([0xBEDE, 0x1000]), u16))
        packet.extension_body = draw(st.binary(max_size=10)) * 4
    return packet


def mutations(data: bytes) -> st.SearchStrategy[bytes]:
    """``data`` with bytes changed, cut off, inserted or repeated."""
    at = st.integers(0, max(len(data) - 1, 0))
    return st.one_of(
        st.tuples(at, u8).map(lambda m: data[: m[0]] + bytes([m[1]]) + data[m[0] + 1 :]),
        st.tuples(at, st.integers(0, 7)).map(
            lambda m: (
                data[: m[0]]
                + bytes(b ^ 1 << m[1] for b in data[m[0] : m[0] + 1])
                + data[m[0] + 1 :]
            )
        ),
        at.map(lambda n: data[:n]),
        at.map(lambda n: data[n:]),
        st.tuples(at, st.binary(max_size=8)).map(lambda m: data[: m[0]] + m[1] + data[m[0] :]),
    )
