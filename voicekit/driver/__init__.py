"""What every driver of a call does, whichever event loop it runs on: nothing here knows one.

`voicekit.trio` and `voicekit.aio` add sockets, a clock and tasks. What they need of their event
loop in common is the Protocol `Loop`.
"""
