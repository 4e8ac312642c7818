"""Parrot: parrot_hikari.py GUILD_ID CHANNEL_ID (a hikari bot; its token is in DISCORD_TOKEN).

It sits in a voice channel, and says again what somebody has said, once they have finished.
"""

import os
import sys
from collections import defaultdict

import hikari

from voicekit import AudioFrame
from voicekit.adapters.hikari import VoicekitVoiceConnection
from voicekit.errors import CallClosed
from voicekit.media import open_opus_provider
from voicekit.media.receiving import Speech, SpeechEnded


async def repeat(connection: VoicekitVoiceConnection) -> None:
    """Say it all again, packet by packet: nothing is decoded."""
    said: defaultdict[int, list[bytes]] = defaultdict(list)
    async for event in connection.voice.speech():
        match event:
            case Speech(user_id=user, item=AudioFrame() as frame):
                said[user].append(frame.opus)
            case SpeechEnded(user_id=user):
                packets = iter(said.pop(user))
                again = open_opus_provider(lambda left=packets: next(left, None), live=False)
                connection.player.queue.append(again)


def main(guild_id: int, channel_id: int) -> None:
    bot = hikari.GatewayBot(os.environ["DISCORD_TOKEN"])

    @bot.listen()
    async def join(event: hikari.StartedEvent) -> None:
        # The one line that is voicekit's. All else of it is in `connection.voice`.
        connection = await bot.voice.connect_to(guild_id, channel_id, VoicekitVoiceConnection)
        try:
            await repeat(connection)
        except CallClosed as error:
            print(error, flush=True)

    bot.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
