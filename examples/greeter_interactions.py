"""Greeter: greeter_interactions.py GREETING FOLDER (an interactions.py bot; DISCORD_TOKEN).

It follows people into voice channels, greets each of them with an audio file, and records what is
said into FOLDER, a file per user, until the last of them has left.
"""

import os
import sys

import interactions
from interactions.api.events import VoiceUserJoin, VoiceUserLeave
from interactions.api.voice.audio import AudioVolume

import voicekit.adapters.interactions


class Greeter(interactions.Client):
    def __init__(self, greeting: str, folder: str) -> None:
        super().__init__()
        self.greeting = greeting
        self.folder = folder
        voicekit.adapters.interactions.install(self)  # the one line that is voicekit's

    @interactions.listen()
    async def on_voice_user_join(self, event: VoiceUserJoin) -> None:
        if event.author.id == self.user.id:
            return
        state = event.channel.voice_state
        if state is None:
            state = await event.channel.connect()
            await state.start_recording("ogg", output_dir=self.folder)
        if state.channel.id == event.channel.id and not state.playing:
            await state.play(AudioVolume(self.greeting))

    @interactions.listen()
    async def on_voice_user_leave(self, event: VoiceUserLeave) -> None:
        state = event.channel.voice_state
        if state is None or state.channel.id != event.channel.id:
            return
        if all(member.id == self.user.id for member in state.channel.voice_members):
            for user, path in (await state.stop_recording()).items():
                print(f"user {user} in {path}", flush=True)
            await state.disconnect()


if __name__ == "__main__":
    Greeter(*sys.argv[1:]).start(os.environ["DISCORD_TOKEN"])
