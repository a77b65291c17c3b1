"""
What ``manage.py check`` says of the settings: one function for one concern, ids that never change.

A function speaks of its own setting, and is silent about those that another one complains about,
however broken they are. No message holds a value that may be secret.
"""

from wxauth.checks import accounts, sign_in, storage, web, wechat
from wxauth.checks.messages import TAG

__all__ = ["TAG", "accounts", "sign_in", "storage", "web", "wechat"]
