"""The public names of other voice libraries, as their documentation lists them.

A line has a class and its members, or names that stand alone. ``(option)`` and ``:Error`` behind a
member are behaviours that have a row of their own.
"""

import textwrap

PYCORD = """
VoiceClient. session_id token endpoint channel loop guild user latency average_latency source
  connect disconnect move_to is_connected play play(wait_finish) play:ClientException
  play:OpusNotLoaded is_playing is_paused stop pause resume send_audio_packet
  send_audio_packet:OpusError elapsed start_recording start_recording(sync_start)
  start_recording:RecordingException stop_recording stop_recording:RecordingException toggle_pause
VoiceProtocol. on_voice_state_update on_voice_server_update connect disconnect cleanup
"""

INTERACTIONS = """
ActiveVoiceState. ws gateway player recorder current_audio volume paused playing stopped connected
  wait_for_stopped ws_connect connect connect:VoiceAlreadyConnected connect:VoiceConnectionTimeout
  disconnect move move:VoiceConnectionTimeout stop pause resume play play_no_wait create_recorder
  start_recording start_recording:RuntimeError stop_recording stop_recording:RuntimeError
  recordings _voice_server_update _voice_state_update _close_connection
AudioVolume
"""

#: Of package ``voice``: what concerns audio, then the rest.
DISGO = """
OpusFrameSizeMs OpusFrameSize OpusFrameSizeBytes OpusPacketHeaderSize UDPTimeout SilenceAudioFrame
ErrDecryptionFailed ErrGatewayNotConnected ErrGatewayAlreadyConnected UserFilterFunc
AudioReceiver NewAudioReceiver AudioReceiverCreateFunc
AudioReceiver. Open CleanupUser Close
AudioSender NewAudioSender AudioSenderCreateFunc
AudioSender. Open Close
Conn. UserIDBySSRC SetSpeaking SetOpusFrameProvider SetOpusFrameReceiver
OpusFrameProvider
OpusFrameProvider. ProvideOpusFrame Close
OpusFrameReceiver
OpusFrameReceiver. ReceiveOpusFrame CleanupUser Close
OpusReader NewOpusReader
OpusReader. ProvideOpusFrame Close
OpusWriter NewOpusWriter
OpusWriter. ReceiveOpusFrame CleanupUser Close
Packet
Packet. Sequence Timestamp SSRC Opus
SpeakingFlags SpeakingFlagNone SpeakingFlagMicrophone SpeakingFlagSoundshare SpeakingFlagPriority
UDPConn. ReadPacket Read Write
Conn NewConn EventHandlerFunc WithConnEventHandlerFunc ConnConfig ConnConfigOpt DefaultConnConfig
WithConnConfigOpts WithConnAudioSenderCreateFunc WithConnAudioReceiverCreateFunc UDPConnCreateFunc
WithUDPConnCreateFunc WithUDPConnConfigOpts WithUDPConnDialer
GatewayCreateFunc WithConnGatewayCreateFunc WithConnGatewayConfigOpts WithConnLogger
WithGatewayLogger WithUDPConnLogger WithLogger Manager NewManager ManagerConfig ManagerConfigOpt
DefaultManagerConfig WithConnCreateFunc ConnCreateFunc StateUpdateFunc State StateProviderFunc
Gateway NewGateway CloseHandlerFunc GatewayConfig GatewayConfigOpt DefaultGatewayConfig
WithGatewayAutoReconnect WithGatewayDialer GatewayVersion Status StatusUnconnected
StatusConnecting StatusWaitingForReady StatusReady StatusResuming StatusDisconnected
StatusWaitingForHello StatusIdentifying GatewayCloseEventCode GatewayCloseEventCodes
GatewayCloseEventCodeHeartbeatTimeout GatewayCloseEventCodeUnknownError
GatewayCloseEventCodeUnknownOpcode GatewayCloseEventCodeFailedDecode
GatewayCloseEventCodeNotAuthenticated GatewayCloseEventCodeAuthenticationFailed
GatewayCloseEventCodeAlreadyAuthenticated GatewayCloseEventCodeSessionNoLongerValid
GatewayCloseEventCodeSessionTimeout GatewayCloseEventCodeServerNotFound
GatewayCloseEventCodeUnknownProtocol GatewayCloseEventCodeDisconnected
GatewayCloseEventCodeVoiceServerCrash GatewayCloseEventCodeUnknownEncryptionMode
GatewayCloseEventCodeByCode GatewayCloseEventCodeUnknown Opcode OpcodeIdentify
OpcodeSelectProtocol OpcodeReady OpcodeHeartbeat OpcodeSessionDescription OpcodeSpeaking
OpcodeHeartbeatACK OpcodeResume OpcodeHello OpcodeResumed OpcodeClientDisconnect OpcodeGuildSync
GatewayMessage GatewayMessageData GatewayMessageDataUnknown GatewayMessageDataIdentify
GatewayMessageDataReady GatewayMessageDataHello GatewayMessageDataHeartbeat
GatewayMessageDataHeartbeatACK GatewayMessageDataSessionDescription
GatewayMessageDataSelectProtocol GatewayMessageDataSelectProtocolData GatewayMessageDataSpeaking
GatewayMessageDataResume GatewayMessageDataClientConnect GatewayMessageDataClientDisconnect
Protocol ProtocolUDP EncryptionMode EncryptionModeNormal EncryptionModeSuffix EncryptionModeLite
UDPConn NewUDPConn UDPConnConfig UDPConnConfigOpt DefaultUDPConnConfig
Conn. Open Close ChannelID GuildID Gateway UDP HandleVoiceStateUpdate HandleVoiceServerUpdate
  SetEventHandlerFunc
ConnConfig. EventHandlerFunc Apply AudioSenderCreateFunc AudioReceiverCreateFunc UDPConnCreateFunc
  UDPConnConfigOpts GatewayCreateFunc GatewayConfigOpts Logger
ManagerConfig. ConnOpts Logger Apply ConnCreateFunc
UDPConnConfig. Dialer Logger Apply
GatewayConfig. Logger Apply AutoReconnect Dialer
Manager. CreateConn GetConn ForEachCon RemoveConn Close HandleVoiceStateUpdate
  HandleVoiceServerUpdate
State. GuildID UserID ChannelID SessionID Token Endpoint
Gateway. Open SSRC Latency Send Close CloseWithCode
GatewayCloseEventCode. Code Description Explanation Reconnect
GatewayMessage. Op D UnmarshalJSON
GatewayMessageDataUnknown. MarshalJSON UnmarshalJSON
GatewayMessageDataIdentify. GuildID UserID SessionID Token
GatewayMessageDataReady. SSRC IP Port Modes
GatewayMessageDataHello. HeartbeatInterval
GatewayMessageDataSessionDescription. Mode SecretKey
GatewayMessageDataSelectProtocol. Protocol Data
GatewayMessageDataSelectProtocolData. Address Port Mode
GatewayMessageDataSpeaking. Speaking Delay SSRC UserID
GatewayMessageDataResume. GuildID SessionID Token
GatewayMessageDataClientConnect. UserID AudioCodec VideoCodec
GatewayMessageDataClientDisconnect. UserID
UDPConn. Open LocalAddr RemoteAddr SetSecretKey SetDeadline SetReadDeadline SetWriteDeadline Close
"""

HIKARI = """
VoiceComponent. connections is_alive close connect_to connect_to(deaf) connect_to(mute)
  connect_to(timeout) disconnect disconnect_all
VoiceConnection. channel_id guild_id is_alive owner shard_id disconnect initialize join notify
"""

FLUXER = """
VoiceManager. join disconnect disconnect_guild disconnect_all stop_guild get_connection is_connected
FluxerVoiceConnection. guild_id channel_id connection_id play_file play_bytes stop disconnect
  is_connected
VoiceError. Timeout ConnectionFailed GatewayUnavailable NotConnected PlaybackError LiveKit
"""


def names_in(surface: str) -> list[str]:
    """Return the names of a list above, each with its class."""
    names = []
    for line in textwrap.dedent(surface).replace("\n  ", " ").split("\n"):
        first, *rest = line.split() or [""]
        if first.endswith("."):
            names += [first + member.replace(":", ": ") for member in rest]
        else:
            names += line.split()
    return names


#: By the heading of their section.
SURFACES = {
    "Pycord": names_in(PYCORD),
    "interactions.py": names_in(INTERACTIONS),
    "disgo": names_in(DISGO),
    "hikari": names_in(HIKARI),
    "Fluxer": names_in(FLUXER),
}
