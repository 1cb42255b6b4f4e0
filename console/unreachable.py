"""What ends a command with one line, and a request with 503."""


class Unreachable(Exception):
    """A server does not answer, or not as it should. The message is one line: what, and what to do next."""


class Refused(Exception):
    """What was asked for cannot be done as things stand. The message is one line saying why."""
