"""What the delivery service reads and signs of MLS, against libdave and against nonsense."""

import dave
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicekit.server.ghost import make_key_package
from voicekit.server.mls import (
    CIPHERSUITE,
    MAX_KEY_PACKAGE,
    Commit,
    ExternalSender,
    KeyPackage,
    MlsError,
    Reader,
    encode_append,
    encode_revoke,
    parse_commit_welcome,
    parse_key_package,
    vector,
)

GROUP = 600
GROUP_ID = GROUP.to_bytes(8, "big")


class Member:
    """One libdave session with its own pending group."""

    def __init__(self, user_id: int, sender: ExternalSender) -> None:
        self.session = dave.Session(None)
        key = dave.SignatureKeyPair.generate(1)
        self.session.init(1, GROUP, str(user_id), key)
        self.session.set_external_sender(sender.package)
        self.raw = self.session.get_marshalled_key_package() or b""
        self.package = parse_key_package(self.raw)


@pytest.fixture(scope="module")
def sender() -> ExternalSender:
    return ExternalSender()


@pytest.fixture(scope="module")
def members(sender: ExternalSender) -> tuple[Member, Member, Member]:
    return Member(1, sender), Member(2, sender), Member(3, sender)


@pytest.fixture(scope="module")
def commit_welcome(sender: ExternalSender, members: tuple[Member, Member, Member]) -> bytes:
    """Member 1 adds 2 and 3."""
    proposals = [sender.propose_add(GROUP_ID, 0, member.package) for member in members[1:]]
    answer = members[0].session.process_proposals(encode_append(proposals), {"1", "2", "3"})
    assert answer
    return answer


# -- vectors ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 63, 64, 16383, 16384, 70000])
def test_a_vector_is_read_as_it_was_written(size: int) -> None:
    reader = Reader(vector(bytes(size)))
    assert reader.vector() == bytes(size)
    assert reader.done


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",  # reaches past the end
        b"\x40",  # half a length
        b"\x40\x01\x00",  # a length of 1 in two bytes
        b"\x80\x00\x00\x40" + bytes(64),  # one of 64 in four
        b"\xbf\xff\xff\xff",  # a gigabyte
        b"\xc0" + bytes(8),  # the form that does not exist
        b"\xff" * 9,
    ],
)
def test_a_malformed_vector_is_refused(data: bytes) -> None:
    with pytest.raises(MlsError):
        Reader(data).vector()


# -- key packages -----------------------------------------------------------------------


def test_libdaves_key_package_names_its_user(members: tuple[Member, Member, Member]) -> None:
    for user_id, member in enumerate(members, 1):
        assert member.package.leaf.user_id == user_id
        assert member.package.raw == member.raw
        assert len(member.raw) < MAX_KEY_PACKAGE / 4


def test_a_key_package_may_come_in_an_mls_message(members: tuple[Member, Member, Member]) -> None:
    member = members[0]
    assert parse_key_package(b"\0\1\0\5" + member.raw) == member.package


def test_a_key_package_cut_off_or_with_a_rest_is_refused(
    members: tuple[Member, Member, Member],
) -> None:
    raw = members[0].raw
    for length in range(len(raw)):
        with pytest.raises(MlsError):
            parse_key_package(raw[:length])
    with pytest.raises(MlsError):
        parse_key_package(raw + b"\0")


def test_a_key_package_with_any_byte_changed_is_refused(
    members: tuple[Member, Member, Member],
) -> None:
    raw = members[0].raw
    for at in range(len(raw)):
        with pytest.raises(MlsError):
            parse_key_package(raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :])


def test_a_large_key_package_is_refused_before_it_is_read() -> None:
    with pytest.raises(MlsError, match="too large"):
        parse_key_package(bytes(MAX_KEY_PACKAGE + 1))


@given(st.binary(max_size=400))
def test_nonsense_is_no_key_package(data: bytes) -> None:
    with pytest.raises(MlsError):
        parse_key_package(data)


def test_a_made_key_package_passes_and_clients_take_it(
    sender: ExternalSender, members: tuple[Member, Member, Member]
) -> None:
    ghost = make_key_package(77)
    assert ghost.leaf.user_id == 77
    add = encode_append([sender.propose_add(GROUP_ID, 0, ghost)])
    stranger = Member(9, sender)
    assert not stranger.session.process_proposals(add, {"9"})  # who is unknown is refused
    naive = Member(9, sender)
    answer = naive.session.process_proposals(add, {"9", "77"})
    assert answer
    _, welcome = parse_commit_welcome(answer)
    assert welcome is not None
    assert set(welcome.secrets) == {ghost.reference}


# -- commits and welcomes ---------------------------------------------------------------


def test_libdaves_commit_is_read(
    commit_welcome: bytes, members: tuple[Member, Member, Member]
) -> None:
    commit, welcome = parse_commit_welcome(commit_welcome)
    assert (commit.group_id, commit.epoch, commit.sender_leaf) == (GROUP_ID, 0, 0)
    assert not commit.inline
    assert len(commit.references) == 2
    assert commit_welcome.startswith(commit.message)
    assert commit.leaf is None  # what only adds has no path
    assert welcome is not None
    assert set(welcome.secrets) == {member.package.reference for member in members[1:]}


def test_the_leaf_of_a_commit_is_signed_for_its_place(sender: ExternalSender) -> None:
    first, commit = removal(sender)
    assert commit.leaf is not None
    assert commit.leaf.user_id == 1
    assert commit.leaf.signature_key == first.package.leaf.signature_key
    commit.verify_leaf()
    for changed in ({"sender_leaf": 1}, {"group_id": bytes(8)}):
        with pytest.raises(MlsError):
            msgspec.structs.replace(commit, **changed).verify_leaf()


def test_each_newcomer_gets_a_welcome_with_only_its_own_secrets(
    commit_welcome: bytes, members: tuple[Member, Member, Member]
) -> None:
    _, welcome = parse_commit_welcome(commit_welcome)
    assert welcome is not None
    for member, other in (members[1:], members[:0:-1]):
        part = welcome.for_member(member.package.reference)
        assert part.startswith(CIPHERSUITE.to_bytes(2, "big"))
        assert other.package.reference not in part
        assert member.session.process_welcome(part, {"1", "2", "3"}) is not None


def test_a_commit_cut_off_is_refused_unless_only_the_welcome_is_gone(
    commit_welcome: bytes,
) -> None:
    commit, _ = parse_commit_welcome(commit_welcome)
    for length in range(len(commit_welcome)):
        if length == len(commit.message):
            assert parse_commit_welcome(commit_welcome[:length])[1] is None
            continue
        with pytest.raises(MlsError):
            parse_commit_welcome(commit_welcome[:length])
    with pytest.raises(MlsError):
        parse_commit_welcome(commit_welcome + b"\0")


@given(st.data())
def test_a_changed_commit_is_read_or_refused(commit_welcome: bytes, data: st.DataObject) -> None:
    changed = bytearray(commit_welcome)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    try:
        parse_commit_welcome(bytes(changed))
    except MlsError:
        pass


@given(st.binary(max_size=300))
def test_nonsense_is_no_commit(data: bytes) -> None:
    with pytest.raises(MlsError):
        parse_commit_welcome(data)


# -- proposals --------------------------------------------------------------------------


def test_a_revoked_proposal_is_not_committed(sender: ExternalSender) -> None:
    member = Member(1, sender)
    adds = [sender.propose_add(GROUP_ID, 0, make_key_package(user)) for user in (2, 3)]
    known = {"1", "2", "3"}
    assert member.session.process_proposals(encode_append(adds), known)
    for withdrawn, left in ((adds[0], (adds[1].reference,)), (adds[1], ())):
        revoke = encode_revoke([withdrawn.reference])
        answer = member.session.process_proposals(revoke, known)
        commit, _ = parse_commit_welcome(answer or b"")
        assert commit.references == left  # in the end libdave commits nothing at all


def removal(sender: ExternalSender) -> tuple[Member, Commit]:
    """Return user 1 and its commit, at epoch 1, of the removal of user 3."""
    first, second, third = (Member(user, sender) for user in (1, 2, 3))
    known = {"1", "2", "3"}
    adds = [sender.propose_add(GROUP_ID, 0, member.package) for member in (second, third)]
    answer = first.session.process_proposals(encode_append(adds), known)
    commit, _ = parse_commit_welcome(answer or b"")
    first.session.process_commit(commit.message)
    remove = sender.propose_remove(GROUP_ID, 1, 2, 3)
    answer = first.session.process_proposals(encode_append([remove]), known)
    commit, welcome = parse_commit_welcome(answer or b"")
    assert (commit.epoch, welcome) == (1, None)
    return first, commit


def test_who_is_removed_is_gone(sender: ExternalSender) -> None:
    first, commit = removal(sender)
    roster = first.session.process_commit(commit.message)
    assert roster == {3: []}


def test_a_proposal_of_another_sender_is_refused(sender: ExternalSender) -> None:
    member = Member(1, sender)
    add = ExternalSender().propose_add(GROUP_ID, 0, make_key_package(2))
    assert not member.session.process_proposals(encode_append([add]), {"1", "2"})


def test_key_packages_are_compared_by_value(members: tuple[Member, Member, Member]) -> None:
    assert isinstance(members[0].package, KeyPackage)
    assert members[0].package != members[1].package
