"""py-cord 2.8: ``await channel.connect(cls=VoicekitClient)``, with its sinks."""

from typing import Any

import discord

from .library import Library
from .voice_client import VoiceClient

__all__ = ["AlreadyRecording", "NoSink", "VoicekitClient"]

if not hasattr(discord, "ApplicationContext"):
    raise ImportError(
        f"this `discord` is not py-cord, but {discord.__title__}: voicekit.adapters.discordpy"
    )


# Until 2.6 py-cord raised the one for each of these, since then the other.


class AlreadyRecording(discord.sinks.RecordingException, discord.ClientException):
    """Something is being recorded already."""


class NoSink(discord.sinks.RecordingException, TypeError):
    """What was given to record into is no sink."""


class VoicekitClient(VoiceClient, discord.VoiceProtocol):
    """A voice client for py-cord, in the place of ``discord.VoiceClient``."""

    library = Library.of(
        discord,
        "py-cord",
        sink=discord.sinks.Sink,
        recording_not_connected=discord.sinks.RecordingException,
        already_recording=AlreadyRecording,
        no_sink=NoSink,
        not_recording=discord.sinks.RecordingException,
    )

    #: What its sinks ask for the shape of the samples that they are given.
    decoder = discord.opus.Decoder

    async def on_voice_state_update(self, data: Any, /) -> None:
        """Take our own voice state; py-cord calls it with an event object."""
        await super().on_voice_state_update(
            {
                "user_id": self.user.id,  # those of others do not come here
                "guild_id": data.guild_id,
                "channel_id": data.channel_id,
                "session_id": data.session_id,
                "self_mute": data.self_mute,
                "self_deaf": data.self_deaf,
            }
        )

    async def on_voice_server_update(self, data: Any, /) -> None:
        """Take the voice server; py-cord calls it with an event object."""
        await super().on_voice_server_update(
            {"guild_id": data.guild_id, "token": data.token, "endpoint": data.endpoint}
        )

    @property
    def privacy_code(self) -> str | None:
        """`voice_privacy_code`, as py-cord calls it."""
        return self.voice_privacy_code

    def is_dave_connection(self) -> bool:
        """Whether the call is end-to-end encrypted."""
        return self.voice is not None and self.voice.connection.dave_version > 0

    start_listening = VoiceClient.start_recording
    stop_listening = VoiceClient.stop_recording
