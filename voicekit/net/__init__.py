"""UDP sockets of the operating system, received from in C, for any event loop."""
