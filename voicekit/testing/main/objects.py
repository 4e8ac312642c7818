"""What users, guilds and the rest are in JSON: every member that a strict client reads.

The members are those of https://discord.com/developers/docs/resources/; ids are text.
"""

from typing import Any

from .world import Channel, ChannelKind, Guild, User, VoiceState

__all__ = [
    "application",
    "channel",
    "guild",
    "guild_create",
    "member",
    "own_user",
    "role",
    "user",
    "voice_state",
]

Json = dict[str, Any]

JOINED_AT = "2026-01-01T00:00:00.000000+00:00"
#: Administrator: whom tests are about may do everything.
PERMISSIONS = str(1 << 3)


def user(who: User) -> Json:
    """Return a user object."""
    return {
        "id": str(who.id),
        "username": who.name,
        "discriminator": "0000" if who.is_bot else "0",
        "global_name": None,
        "avatar": None,
        "avatar_decoration_data": None,
        "banner": None,
        "accent_color": None,
        "public_flags": 0,
        "bot": who.is_bot,
        "system": False,
    }


def own_user(who: User) -> Json:
    """Return the user object that a bot gets of itself."""
    return user(who) | {
        "mfa_enabled": False,
        "locale": "en-US",
        "verified": True,
        "email": None,
        "flags": 0,
        "premium_type": 0,
    }


def application(bot: User) -> Json:
    """Return the application behind a bot. It has the bot's id, as most have."""
    return {
        "id": str(bot.id),
        "name": bot.name,
        "icon": None,
        "cover_image": None,
        "description": "",
        "summary": "",
        "rpc_origins": [],
        "bot_public": True,
        "bot_require_code_grant": False,
        "bot": user(bot),
        "owner": user(bot),
        "team": None,
        "verify_key": "00" * 32,
        "flags": 0,
        "tags": [],
        "hook": True,
        "guild_id": None,
        "primary_sku_id": None,
        "slug": None,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "custom_install_url": None,
        "approximate_guild_count": 1,
        "approximate_user_install_count": 0,
        "integration_types_config": {"0": {}},
    }


def role(where: Guild) -> Json:
    """Return the role of everybody, which has the guild's id."""
    return {
        "id": str(where.id),
        "name": "@everyone",
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "position": 0,
        "permissions": PERMISSIONS,
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def member(who: User) -> Json:
    """Return a guild member object."""
    return {
        "user": user(who),
        "nick": None,
        "avatar": None,
        "banner": None,
        "roles": [],
        "joined_at": JOINED_AT,
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    }


def channel(what: Channel) -> Json:
    """Return a channel object."""
    data: Json = {
        "id": str(what.id),
        "type": int(what.kind),
        "guild_id": str(what.guild_id),
        "name": what.name,
        "position": 0,
        "permission_overwrites": [],
        "parent_id": None,
        "nsfw": False,
        "flags": 0,
        "last_message_id": None,
        "rate_limit_per_user": 0,
    }
    if what.kind is ChannelKind.TEXT:
        return data | {"topic": None, "last_pin_timestamp": None}
    return data | {
        "bitrate": 64000,
        "user_limit": what.user_limit,
        "rtc_region": None,
        "video_quality_mode": 1,
    }


def voice_state(state: VoiceState, where: Guild) -> Json:
    """Return a voice state object, as VOICE_STATE_UPDATE has it."""
    return {
        "guild_id": str(state.guild_id),
        "channel_id": str(state.channel_id),
        "user_id": str(state.user_id),
        "member": member(where.members[state.user_id]),
        "session_id": state.session_id,
        "deaf": False,
        "mute": False,
        "self_deaf": state.self_deaf,
        "self_mute": state.self_mute,
        "self_stream": False,
        "self_video": False,
        "suppress": False,
        "request_to_speak_timestamp": None,
    }


def guild(where: Guild) -> Json:
    """Return a guild object, as REST has it."""
    return {
        "id": str(where.id),
        "name": where.name,
        "icon": None,
        "icon_hash": None,
        "splash": None,
        "discovery_splash": None,
        "banner": None,
        "owner_id": str(where.owner_id),
        "region": None,
        "afk_channel_id": None,
        "afk_timeout": 300,
        "verification_level": 0,
        "default_message_notifications": 1,
        "explicit_content_filter": 0,
        "roles": [role(where)],
        "emojis": [],
        "features": [],
        "mfa_level": 0,
        "application_id": None,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "safety_alerts_channel_id": None,
        "max_members": 500000,
        "max_presences": None,
        "max_video_channel_users": 25,
        "max_stage_video_channel_users": 50,
        "vanity_url_code": None,
        "description": None,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "preferred_locale": "en-US",
        "nsfw": False,
        "nsfw_level": 0,
        "widget_enabled": False,
        "widget_channel_id": None,
        "stickers": [],
        "incidents_data": None,
        "hub_type": None,
        "approximate_member_count": len(where.members),
        "approximate_presence_count": len(where.members),
    }


def guild_create(where: Guild) -> Json:
    """Return the ``d`` of GUILD_CREATE. The objects in it do not repeat the guild's id."""
    channels = [_without_guild(channel(one)) for one in where.channels.values()]
    states = [_without_guild(voice_state(one, where)) for one in where.voice_states.values()]
    for state in states:
        del state["member"]
    return guild(where) | {
        "joined_at": JOINED_AT,
        "large": False,
        "unavailable": False,
        "member_count": len(where.members),
        "members": [member(one) for one in where.members.values()],
        "channels": channels,
        "voice_states": states,
        "threads": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
        "embedded_activities": [],
    }


def _without_guild(data: Json) -> Json:
    del data["guild_id"]
    return data
