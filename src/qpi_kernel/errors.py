"""How the library speaks to the user: an error to mend, a warning to know."""


class QpiError(ValueError):
    """Something the user can mend: the message says what, where and what to do.

    The command line prints it as one line with exit status 1, the plugin as an error toast and in
    its status line; neither shows a traceback.
    """


class GpuMemoryError(QpiError):
    """The memory of the GPU is too small for what was asked; that of the CPU may do."""


class QpiWarning(UserWarning):
    """Something the user should know about a result that is correct as it stands."""
