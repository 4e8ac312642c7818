"""Low-level voice protocol toolkit for Discord-style voice."""
