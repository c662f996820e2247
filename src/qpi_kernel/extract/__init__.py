"""Extraction of the kernel of one scatterer from a map of many.

Names load on first use, so that a form can show `ExtractSettings` without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "engine": ["extract_kernel", "iter_extract"],
        "result": ["Extraction"],
        "settings": ["METHODS", "ExtractSettings"],
    },
)
