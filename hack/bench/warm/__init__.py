"""The warm path, measured: requests per second through the activator, against the same through a Go reverse proxy, in pairs on the same machine."""
