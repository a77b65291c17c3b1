"""The client towards WeChat's servers. Its callers need ``client`` and the records of ``types``."""
