"""Who sends text messages: one class per provider, chosen by ``WXAUTH_SMS_BACKEND``."""
