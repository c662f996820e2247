"""The one exception type that speaks to the user."""


class QpiError(ValueError):
    """Something the user can mend: the message says what, where and what to do.

    The command line prints it as one line with exit status 1, the plugin as an error toast and in
    its status line; neither shows a traceback.
    """
