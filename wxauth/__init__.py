"""Sign in with WeChat for Django."""

__version__ = "0.1.0"
