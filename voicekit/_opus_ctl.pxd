# Numbers of opus_defines.h. opuslib has the older half of them, and only in Python.
#
# The request that reads a setting is the one that sets it plus 1, except for the gain.

cdef enum:
    OPUS_OK = 0
    OPUS_BAD_ARG = -1
    OPUS_INVALID_PACKET = -4
    OPUS_AUTO = -1000
    OPUS_BITRATE_MAX = -1
    SET_APPLICATION = 4000
    SET_BITRATE = 4002
    SET_MAX_BANDWIDTH = 4004
    SET_VBR = 4006
    SET_BANDWIDTH = 4008
    SET_COMPLEXITY = 4010
    SET_INBAND_FEC = 4012
    SET_PACKET_LOSS_PERC = 4014
    SET_DTX = 4016
    SET_VBR_CONSTRAINT = 4020
    SET_FORCE_CHANNELS = 4022
    SET_SIGNAL = 4024
    GET_LOOKAHEAD = 4027
    RESET_STATE = 4028
    GET_FINAL_RANGE = 4031
    GET_PITCH = 4033
    SET_GAIN = 4034
    SET_LSB_DEPTH = 4036
    GET_LAST_PACKET_DURATION = 4039
    SET_EXPERT_FRAME_DURATION = 4040
    SET_PREDICTION_DISABLED = 4042
    GET_GAIN = 4045  # should have been 4035
    SET_PHASE_INVERSION_DISABLED = 4046
    GET_IN_DTX = 4049
    SET_DRED_DURATION = 4050
