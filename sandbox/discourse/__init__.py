"""A Discourse forum in memory and the HTTP API it is read through."""

from sandbox.discourse.http import app
from sandbox.discourse.store import Forum, ForumSettings, Post, Topic, User

__all__ = ["Forum", "ForumSettings", "Post", "Topic", "User", "app"]
