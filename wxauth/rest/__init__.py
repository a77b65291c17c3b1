"""What the doors that speak JSON have in common: bodies, languages, limits, failures."""
