"""The senders of text messages."""
