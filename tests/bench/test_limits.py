"""The loops in C do what they say: what they are compared with is real work."""

import socket
import struct
import sys
import time
from array import array

import dave
import pytest

from bench import libraries
from bench._limit import Packets, receive_datagrams, send_on_time
from bench.in_session import DAVE_SSRC, PAYLOAD, Call
from voicekit._crypto import available_modes

CIPHERS = [name for name, mode in libraries.CIPHERS.items() if mode in available_modes()]
OTHER_KEY = bytes(32)


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("extension", [False, True])
def test_libsodium_opens_what_a_server_sends_and_nothing_else(cipher: str, extension: bool):
    call = Call(cipher)
    packets = Packets(call.packets(5, extension=extension))
    clear = 16 if extension else 12
    assert libraries.sodium(cipher, call.receiver_key).open(packets, 12, clear) > 0
    with pytest.raises(ValueError, match="12 packets did not open"):
        libraries.sodium(cipher, OTHER_KEY).open(packets, 12, clear)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_end_to_end_encrypted_packets_are_opened_and_decrypted(cipher: str):
    call = Call(cipher, dave=True)
    aead = libraries.sodium(cipher, call.receiver_key)
    audio, decrypt = dave.MediaType.audio, call.decryptor().decrypt
    packets = Packets(call.packets(5))
    assert aead.open_before(packets, decrypt, audio) > 0
    with pytest.raises(ValueError, match="5 packets did not open"):
        aead.open_before(packets, decrypt, audio)  # libdave has seen these nonces
    with pytest.raises(ValueError, match="5 packets did not open"):
        libraries.sodium(cipher, OTHER_KEY).open_before(Packets(call.packets(5)), decrypt, audio)


def test_frames_are_encrypted_before_they_are_sealed():
    call = Call("xchacha", dave=True)
    seen: list[bytes] = []

    def encrypt(kind: object, ssrc: int, opus: bytes) -> bytes:
        seen.append(opus)
        return call.end_to_end(opus)

    aead = libraries.sodium("xchacha", OTHER_KEY)
    assert aead.seal_after(encrypt, dave.MediaType.audio, DAVE_SSRC, PAYLOAD, 3) > 0
    assert seen == [PAYLOAD] * 3


def test_openssl_opens_what_a_server_sends_and_nothing_else():
    if "aes" not in CIPHERS or libraries.libcrypto() is None:
        pytest.skip("no AES-GCM, or no OpenSSL that can be reached")
    call = Call("aes")
    packets = Packets(call.packets(5))
    assert libraries.openssl("aes", call.receiver_key).open(packets, 12) > 0
    with pytest.raises(ValueError, match="did not open"):
        libraries.openssl("aes", OTHER_KEY).open(packets, 12)


def test_openssl_seals_with_chacha20():
    if libraries.libcrypto() is None:
        pytest.skip("no OpenSSL that can be reached")
    assert libraries.openssl("chacha", OTHER_KEY).seal(PAYLOAD, 10) > 0


@pytest.mark.parametrize("cipher", CIPHERS)
def test_sealing_takes_a_payload_that_fits(cipher: str):
    aead = libraries.sodium(cipher, OTHER_KEY)
    assert aead.seal(PAYLOAD, 10) > 0
    with pytest.raises(ValueError, match="too large"):
        aead.seal(bytes(3000), 1)


@pytest.mark.skipif(sys.platform != "linux", reason="recvmmsg")
def test_datagrams_are_counted_and_opened():
    call = Call("xchacha")
    aead = libraries.sodium("xchacha", call.receiver_key)
    here, there = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    with here, there:
        here.bind(("127.0.0.1", 0))

        def send(packets: list[bytes]) -> None:
            for packet in packets:
                there.sendto(packet, here.getsockname())

        send(call.packets(70))
        assert receive_datagrams(here.fileno(), 70, aead) > 0
        send(call.packets(3))
        with pytest.raises(OSError, match="3 datagrams were there, not 4"):
            receive_datagrams(here.fileno(), 4, aead)
        send(call.packets(2))
        with pytest.raises(ValueError, match="2 datagrams did not open"):
            receive_datagrams(here.fileno(), 2, libraries.sodium("xchacha", OTHER_KEY))


def test_a_call_hears_all_its_packets_and_says_so_if_not():
    call = Call("xchacha")
    for packet in call.packets(10):
        assert call.receiver.open_datagram(packet, call.now) is not None
    call.check()
    call.packets(3)  # never arrive
    (late,) = call.packets(1)
    call.receiver.open_datagram(late, call.now)
    with pytest.raises(AssertionError):
        call.check()


@pytest.mark.skipif(sys.platform != "linux", reason="the loop is Linux's")
def test_the_loop_that_only_sends_sends_each_stream_on_time():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
        try:
            for sender in senders:
                sender.connect(receiver.getsockname())
            fds = array("i", [sender.fileno() for sender in senders])
            begin = time.monotonic_ns()
            send_on_time(fds, bytes(20), begin, 500_000, 2_000_000, 2)
            assert time.monotonic_ns() >= begin + 2_000_000 + 2 * 500_000
            packets = [receiver.recv(100) for _ in range(6)]
        finally:
            for sender in senders:
                sender.close()
    order = [struct.unpack("!HxxxxI", packet[2:12]) for packet in packets]
    assert order == [(k, ssrc) for k in (0, 1) for ssrc in (1, 2, 3)]
    with pytest.raises(OSError, match="send failed"):
        send_on_time(array("i", [-1]), bytes(20), 0, 500_000, 2_000_000, 1)
