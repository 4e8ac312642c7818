"""The main (bot) gateway and REST interface of a stand-in for Discord, without sockets.

`world` holds users, guilds and channels, `objects` what they are in JSON; `machine` is the
gateway, `encodings` how its messages are packed; `voice_states` decides who gets into which
voice channel and on which voice server; `rest` answers requests that `http` has read.
`voicekit.testing.MainGateway` gives all of it sockets.
"""
