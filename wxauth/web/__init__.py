"""The door for browsers: to WeChat's pages and back, ending in a Django session or a ticket."""
