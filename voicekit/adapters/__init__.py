"""voicekit in the place of a host library's own voice: one module for each library, on asyncio.

None is imported here: each needs its library.
"""
