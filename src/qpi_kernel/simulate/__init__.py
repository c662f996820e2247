"""The forward model: from a surface and its scatterers to a map with the truth beside it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "materials": ["MATERIALS", "Material", "find_material"],
        "scene": ["SimulatedMap", "crop_kernel", "simulate_kernel", "simulate_map"],
    },
)
