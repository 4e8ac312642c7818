"""The plain server, tested without voicekit: with a raw client, and by looking at itself."""

import ast
import json
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from . import rfc6455
from .ciphers import AES, MODES, XCHACHA, XChaCha20Poly1305, hchacha20
from .process import ServerProcess
from .raw_client import FRAME, RawClient, WebSocketClosed

HERE = Path(__file__).parent
MODULES = (
    "certificates",
    "ciphers",
    "delivery",
    "judge",
    "messages",
    "mls",
    "options",
    "rfc6455",
    "server",
    "session",
)
ALICE, BOB, CAROL = 1001, 1002, 1003


# -- it is independent -----------------------------------------------------------


def test_sources_import_only_the_standard_library_cryptography_and_each_other():
    allowed = {*sys.stdlib_module_names, *MODULES, "cryptography"}
    for name in MODULES:
        tree = ast.parse((HERE / f"{name}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert (node.module or "").split(".")[0] in allowed


def test_running_it_loads_nothing_of_voicekit():
    code = "import server, sys, json; print(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, timeout=60
    )
    assert not loaded.stderr
    tops = {name.split(".")[0] for name in json.loads(loaded.stdout)}
    assert "cryptography" in tops
    assert not tops & {"voicekit", "trio", "websockets", "nacl", "msgspec"}


# -- ciphers ----------------------------------------------------------------------


def test_hchacha20_matches_the_vector_of_the_draft():
    # draft-irtf-cfrg-xchacha-03 §2.2.1
    subkey = hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927"))
    expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert subkey.hex() == expected


def test_xchacha20_poly1305_matches_the_vector_of_the_draft():
    # draft-irtf-cfrg-xchacha-03 §A.3.1
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )
    aad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    aead, nonce = XChaCha20Poly1305(bytes(range(0x80, 0xA0))), bytes(range(0x40, 0x58))
    sealed = aead.encrypt(nonce, text, aad)
    assert sealed.hex() == (
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
        "21f9664c97637da9768812f615c68b13b52e"
        "c0875924c1c7987947deafd8780acf49"
    )
    assert aead.decrypt(nonce, sealed, aad) == text


# -- WebSocket --------------------------------------------------------------------


def test_masking_is_its_own_inverse():
    payload, mask = bytes(range(11)), b"\x01\x02\x03\xff"
    assert rfc6455.xor(payload, mask)[:4] == bytes((0x01, 0x03, 0x01, 0xFC))
    assert rfc6455.xor(rfc6455.xor(payload, mask), mask) == payload


@pytest.mark.parametrize(
    ("first", "payload", "code"),
    [
        (0x80 | 3, b"", 1002),  # reserved opcode
        (0xC0 | rfc6455.TEXT, b"{}", 1002),  # RSV1 without an extension
        (rfc6455.PING, b"", 1002),  # fragmented control frame
        (0x80 | rfc6455.CONTINUATION, b"", 1002),  # continuation of nothing
        (0x80 | rfc6455.TEXT, b"\xff", 1007),  # not UTF-8
        (0x80 | rfc6455.TEXT, b"[" * 50_000, 4002),  # JSON nested beyond reason
        (0x80 | rfc6455.TEXT, b'{"op": true, "d": null}', 4002),
        (0x80 | rfc6455.TEXT, b'{"op": 5, "d": null}', 4003),
    ],
)
def test_a_bad_frame_is_answered_with_the_close_code_for_it(first, payload, code):
    with ServerProcess() as server, RawClient(server.url, ALICE) as client:
        mask = b"mask"
        built = rfc6455.frame(rfc6455.TEXT, payload, mask)
        client.tcp.sendall(bytes((first,)) + built[1:])
        assert client.close_code() == code


def test_an_unmasked_frame_and_an_oversized_one_are_refused():
    with ServerProcess() as server:
        with RawClient(server.url, ALICE) as client:
            client.tcp.sendall(rfc6455.frame(rfc6455.TEXT, b"{}"))
            assert client.close_code() == 1002
        with RawClient(server.url, ALICE) as client:
            client.tcp.sendall(bytes((0x82, 0xFF)) + (1 << 40).to_bytes(8, "big"))
            assert client.close_code() == 1009


def test_fragments_are_joined_around_a_ping():
    with ServerProcess() as server, RawClient(server.url, ALICE) as client:
        client.expect(8)
        message = json.dumps({"op": 3, "d": {"t": 77, "seq_ack": -1}}).encode()
        client.tcp.sendall(
            bytes((rfc6455.TEXT,))
            + rfc6455.frame(rfc6455.TEXT, message[:9], b"abcd")[1:]
            + rfc6455.frame(rfc6455.PING, b"hi", b"wxyz")
            + rfc6455.frame(rfc6455.CONTINUATION, message[9:], b"efgh")
        )
        assert client.receive_frame() == (rfc6455.PONG, b"hi")
        assert client.receive() == {"op": 6, "d": {"t": 77}}


def test_an_http_request_is_told_that_this_is_no_web_server():
    with ServerProcess() as server:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{server.endpoint}/", timeout=10)
        refused.value.close()
        assert refused.value.code == 400


# -- the handshake ----------------------------------------------------------------


@pytest.mark.parametrize("version", range(4, 10))
def test_every_gateway_version_joins_and_beats(version):
    with ServerProcess() as server, RawClient(server.url, ALICE, version=version) as client:
        client.join(AES)
        nonce = {"t": 5, "seq_ack": -1} if version >= 8 else 5
        client.send(3, nonce)
        (ack,) = client.expect(6)
        assert ack["d"] == ({"t": 5} if version >= 8 else 5)
        client.leave()
        session = server.session_of(ALICE)
        assert session["version"] == version
        assert session["mode"] == AES
        assert session["closes"] == [1000]
        assert session["packets_bad"] == {}


def test_wss_with_a_certificate_of_its_own():
    with (
        ServerProcess("--tls") as server,
        RawClient(server.url, ALICE, ca=server.ca_file) as client,
    ):
        assert server.url.startswith("wss://")
        client.join(XCHACHA)
        client.leave()


@pytest.mark.parametrize("version", [3, 10])
def test_an_unknown_gateway_version_is_a_bad_request(version):
    with ServerProcess() as server, RawClient(server.url, ALICE, version=version) as client:
        assert client.close_code() == 4020


def test_a_wrong_token_a_wrong_mode_and_a_wrong_protocol_are_refused():
    with ServerProcess("--token", "right", "--mode", "xchacha") as server:
        with RawClient(server.url, ALICE) as client:
            with pytest.raises(WebSocketClosed) as wrong_token:
                client.identify()
            assert wrong_token.value.code == 4004
        with RawClient(server.url, ALICE) as client:
            assert client.identify(token="right")["modes"] == [XCHACHA]
            address, port = client.discover()
            data = {"address": address, "port": port, "mode": AES}
            client.send(1, {"protocol": "udp", "data": data})
            assert client.close_code() == 4016
        with RawClient(server.url, ALICE) as client:
            client.identify(token="right")
            client.send(1, {"protocol": "webrtc", "data": data})
            assert client.close_code() == 4012


def test_identifying_twice_and_an_unknown_opcode_are_refused():
    with ServerProcess() as server:
        with RawClient(server.url, ALICE) as client:
            client.identify()
            client.send(0, client.credentials(user_id=str(ALICE)))
            assert client.close_code() == 4005
        with RawClient(server.url, ALICE) as client:
            client.identify()
            client.send(12, {})  # undocumented, ignored
            client.send(99, {})
            assert client.close_code() == 4001


def test_silence_for_three_heartbeats_ends_the_session():
    with ServerProcess("--heartbeat", "100") as server, RawClient(server.url, ALICE) as client:
        client.join(AES)
        assert client.close_code() == 4009
        assert server.session_of(ALICE)["closes"] == [4009]


# -- audio ------------------------------------------------------------------------


@pytest.mark.parametrize("alices_mode", MODES)
@pytest.mark.parametrize("bobs_mode", MODES)
def test_audio_is_forwarded_sealed_anew_for_each_receiver(alices_mode, bobs_mode):
    with (
        ServerProcess() as server,
        RawClient(server.url, ALICE) as alice,
        RawClient(server.url, BOB) as bob,
    ):
        alice.join(alices_mode)
        bob.join(bobs_mode, others=1)
        assert alice.expect(11, 18, 20)[0]["d"] == {"user_ids": [str(BOB)]}
        alice.speak()
        (speaking,) = bob.expect(5)
        ssrc = alice.ready["ssrc"]
        assert speaking["d"] == {"speaking": 1, "ssrc": ssrc, "user_id": str(ALICE)}
        frames = [bytes((0xFC, n)) for n in range(50)]
        sequence, timestamp = alice.sequence, alice.timestamp
        alice.play(frames)
        for n, frame in enumerate(frames):
            header, opus = bob.hear()
            expected = 0x80, 0x78, sequence + n & 0xFFFF, timestamp + 960 * n & 0xFFFF_FFFF, ssrc
            assert struct.unpack(">BBHII", header) == expected
            assert opus == frame
        sessions = {s["user_id"]: s for s in server.stop()}
        assert sessions[ALICE]["packets_valid"] == 50
        assert sessions[ALICE]["packets_bad"] == {}
        assert sessions[BOB]["forwarded_to"] == 50


def test_decorated_audio_carries_an_extension_and_sometimes_padding():
    with (
        ServerProcess("--decorate") as server,
        RawClient(server.url, ALICE) as alice,
        RawClient(server.url, BOB) as bob,
    ):
        alice.join(AES)
        alice.speak()
        bob.join(XCHACHA, others=1)
        bob.expect(5)
        alice.sequence = 15
        alice.play([FRAME, FRAME])
        header, plain = bob.hear(16)
        assert header[0] == 0x90
        assert header[12:] == bytes.fromhex("bede0001")
        assert plain == bytes.fromhex("10a49002") + FRAME
        header, plain = bob.hear(16)
        assert header[0] == 0xB0
        assert plain == bytes.fromhex("10a49002") + FRAME + b"\0\0\x03"


def test_discovery_and_audio_of_strangers_get_no_answer():
    with ServerProcess() as server, RawClient(server.url, ALICE) as alice:
        alice.identify()
        alice.udp.send(struct.pack(">HHI64xH", 1, 70, alice.ready["ssrc"] ^ 1, 0))
        alice.udp.send(bytes(100))
        alice.udp.settimeout(0.2)
        with pytest.raises(TimeoutError):
            alice.udp.recv(2048)


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("short", {"raw": bytes(31)}),
        ("header", {"first": 0x40}),
        ("header", {"second": 0x79}),
        ("header", {"first": 0x8F, "opus": b"\xfc"}),
        ("wrong_ssrc", {"ssrc": 5}),
        ("nonce_reuse", {"nonce": 7}),
        ("extension", {"first": 0x90, "clear": b"\xbe\xde\x00\x63"}),
        ("padding", {"first": 0xA0, "opus": b"\xfc\0\0\x00"}),
        ("padding", {"first": 0xA0, "opus": b"\xfc\0\0\x05"}),
        ("opus", {"first": 0xA0, "opus": b"\0\0\x03"}),
        ("opus", {"opus": b"\xff\x00"}),
        ("sequence", {"sequence": 9}),
        ("timestamp", {"timestamp": 961}),
        ("timestamp", {"timestamp": 2**32 - 960}),
        ("keepalive", {"raw": bytes.fromhex("0000000000000001")}),
    ],
)
def test_the_judge_counts_a_bad_packet_under_its_reason(reason, change):
    with ServerProcess() as server, RawClient(server.url, ALICE) as alice:
        alice.join(AES)
        alice.speak()
        alice.udp.send(alice.packet())
        alice.udp.send(change["raw"] if "raw" in change else alice.packet(**change))
        alice.synchronise()
        session = server.session_of(ALICE)
        assert session["packets_valid"] == 1
        assert session["packets_bad"] == {reason: 1}


def test_the_judge_wants_audio_announced_but_silence_may_follow():
    with ServerProcess() as server, RawClient(server.url, ALICE) as alice:
        alice.join(AES)
        alice.speak(0)
        alice.udp.send(alice.packet())
        alice.udp.send(alice.packet(b"\xf8\xff\xfe"))
        alice.synchronise()
        session = server.session_of(ALICE)
        assert session["packets_valid"] == 1
        assert session["packets_bad"] == {"not_speaking": 1}


def test_the_judge_forgives_an_announcement_that_comes_just_after_the_audio():
    with ServerProcess() as server, RawClient(server.url, ALICE) as alice:
        alice.join(AES)
        alice.udp.send(alice.packet())
        alice.speak()
        alice.udp.send(alice.packet())
        alice.synchronise()
        assert server.session_of(ALICE)["packets_valid"] == 2


def test_the_judge_accepts_a_pause_in_whole_frames_keepalives_and_rtcp():
    with ServerProcess() as server, RawClient(server.url, ALICE) as alice:
        alice.join(XCHACHA)
        alice.speak()
        alice.udp.send(alice.packet())
        alice.timestamp += 960 * 100
        alice.udp.send(alice.packet())
        for counter in range(3):
            alice.udp.send(struct.pack("<II", counter, 0))
        report = struct.pack(">BBHI", 0x80, 201, 1, alice.ready["ssrc"])
        alice.udp.send(alice.cipher.seal(report, b"", 1000))
        alice.synchronise()
        session = server.session_of(ALICE)
        assert (session["packets_valid"], session["keepalives"], session["rtcp"]) == (2, 3, 1)
        assert session["packets_bad"] == {}


# -- resume and faults --------------------------------------------------------------


@pytest.mark.parametrize("version", [7, 8, 9])
def test_a_dropped_socket_is_resumed_and_what_was_missed_is_replayed(version):
    with (
        ServerProcess() as server,
        RawClient(server.url, ALICE, version=version) as alice,
        RawClient(server.url, BOB) as bob,
    ):
        alice.join(AES)
        alice.tcp.close()
        bob.join(AES, others=1)
        bob.speak()
        alice.dial()
        alice.expect(8)
        seq = {"seq_ack": alice.seq} if version >= 8 else {}
        alice.send(7, alice.credentials(**seq))
        alice.expect(9)
        if version >= 8:
            replayed = alice.expect(11, 18, 20, 5)
            assert [message["seq"] for message in replayed] == [1, 2, 3, 4]
        bob.udp.send(bob.packet())
        assert alice.hear()[1] == FRAME
        bob.leave()
        alice.expect(13)
        session = server.session_of(ALICE)
        assert session["resumes"] == 1
        assert session["replayed"] == (4 if version >= 8 else 0)


def test_what_was_acknowledged_is_not_replayed():
    with (
        ServerProcess() as server,
        RawClient(server.url, ALICE) as alice,
        RawClient(server.url, BOB) as bob,
    ):
        alice.join(AES)
        bob.identify()
        alice.expect(11, 18, 20)
        alice.tcp.close()
        bob.tcp.close()  # before its session description: nothing to resume, it has left
        alice.dial()
        alice.expect(8)
        alice.send(7, alice.credentials(seq_ack=2))
        messages = alice.expect(9, 20, 13)
        assert [message.get("seq") for message in messages] == [None, 3, 4]


def test_a_session_that_left_or_never_was_cannot_be_resumed():
    with ServerProcess() as server, RawClient(server.url, ALICE) as alice:
        alice.join(AES)
        alice.leave()
        alice.dial()
        alice.send(7, alice.credentials(seq_ack=-1))
        assert alice.close_code() == 4006


def test_a_session_ends_with_its_resume_window():
    with (
        ServerProcess("--resume-window", "0.2") as server,
        RawClient(server.url, ALICE) as alice,
        RawClient(server.url, BOB) as bob,
    ):
        alice.join(AES)
        bob.join(AES, others=1)
        alice.tcp.close()
        (left,) = bob.expect(13)
        assert left["d"] == {"user_id": str(ALICE)}


def test_the_same_user_again_replaces_the_older_session():
    with (
        ServerProcess() as server,
        RawClient(server.url, ALICE) as first,
        RawClient(server.url, ALICE) as second,
    ):
        first.join(AES)
        second.join(AES)
        assert first.close_code() == 4006


@pytest.mark.parametrize(
    ("fault", "code", "resumable"),
    [
        ("close:4015@0.1", 4015, True),
        ("close:1000@0.1", 1000, True),
        ("close:4014@0.1", 4014, False),
        ("drop@0.1", None, True),
    ],
)
def test_a_fault_strikes_once_after_its_time(fault, code, resumable):
    with ServerProcess("--fault", fault) as server, RawClient(server.url, ALICE) as alice:
        alice.join(AES)
        assert alice.close_code() == code
        alice.tcp.close()
        alice.dial()
        alice.expect(8)
        alice.send(7, alice.credentials(seq_ack=-1))
        if resumable:
            alice.expect(9)
            alice.tcp.settimeout(0.3)
            with pytest.raises(TimeoutError):
                alice.receive()
        else:
            assert alice.close_code() == 4006


def test_acks_stop_until_a_resume():
    with ServerProcess("--fault", "stop-acks@0") as server, RawClient(server.url, ALICE) as alice:
        alice.join(AES)
        alice.synchronise()
        alice.send(3, {"t": 1, "seq_ack": -1})
        alice.synchronise()
        alice.tcp.close()
        alice.dial()
        alice.expect(8)
        alice.send(7, alice.credentials(seq_ack=-1))
        alice.send(3, {"t": 2, "seq_ack": -1})
        assert alice.expect(9, 6)[1]["d"] == {"t": 2}
