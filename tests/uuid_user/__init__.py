"""A host's own user model, as unlike Django's as they come."""
