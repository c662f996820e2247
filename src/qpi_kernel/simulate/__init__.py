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
        "hoppings": ["crystal_material", "read_hoppings"],
        "jdos": ["joint_density_of_states"],
        "kernel": ["crop_kernel", "iter_simulate_kernel", "simulate_kernel"],
        "impurity": ["Impurity", "gaussian_impurity", "impurity_kernel"],
        "mass_production": ["lattice_kernels"],
        "materials": ["MATERIALS", "Material", "find_material"],
        "measurement": ["Measurement"],
        "nuisance": ["REALISM", "Nuisance"],
        "scene": ["SimulatedMap", "iter_simulate_map", "simulate_map"],
        "settings": ["SimulateSettings"],
        "spin": ["exchange", "spin_tip", "with_spin"],
        "superconductor": ["d_wave", "nambu", "s_plus_minus", "s_wave"],
        "tight_binding": ["Hopping", "TightBinding"],
        "tmatrix": ["lattice_kernel"],
    },
)
