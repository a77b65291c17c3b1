"""The native JSON API: ``include("wxauth.api.urls")``."""
