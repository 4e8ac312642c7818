"""The oracle: RTP, RTCP and their statistics once more, slow and obvious.

Written from the RFCs, with the standard library alone and nothing of voicekit, so that a
mistake would have to be made twice, in two ways, to pass the differential tests.
"""
