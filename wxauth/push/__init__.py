"""The door through which WeChat's servers come: ``include("wxauth.push.urls")``."""
