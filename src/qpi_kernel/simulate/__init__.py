"""The forward model: from a surface and its scatterers to a map with the truth beside it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "broadening": [
            "lockin_broadening",
            "setpoint_damping",
            "setpoint_map",
            "thermal_broadening",
            "tip_blur",
        ],
        "jdos": ["joint_density_of_states"],
        "materials": ["MATERIALS", "Material", "find_material"],
        "nuisance": ["REALISM", "Nuisance"],
        "scene": ["SimulatedMap", "crop_kernel", "simulate_kernel", "simulate_map"],
    },
)
