"""A host project's own tables, of every shape that points to a user."""
