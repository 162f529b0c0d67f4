"""The exception that users see as a single line."""


class DistillgameError(Exception):
    """An error that the user can fix: bad input, a missing file, an option out of range.

    The message is one line that names the file, field or request and says what to do. The command line prints it
    without a traceback and ends with exit status 2.
    """
