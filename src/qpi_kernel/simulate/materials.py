"""The table of materials that can be simulated.

The wave vectors of a material follow from its dispersion, so that extraction can be checked against
a formula and not against another program.
"""

from qpi_kernel.simulate.crystal_materials import CRYSTAL_MATERIALS
from qpi_kernel.simulate.material import Material, find_by_name
from qpi_kernel.simulate.ordered_materials import ORDERED_MATERIALS
from qpi_kernel.simulate.surface_materials import SURFACE_MATERIALS

__all__ = ["MATERIALS", "Material", "find_material"]

MATERIALS: dict[str, Material] = {
    material.name: material
    for material in (*SURFACE_MATERIALS, *CRYSTAL_MATERIALS, *ORDERED_MATERIALS)
}


def find_material(name: str) -> Material:
    """Return a material by its name.

    Raises
    ------
    QpiError
        If there is none of that name; the message names the nearest ones.
    """
    return find_by_name(MATERIALS, name, "material")
