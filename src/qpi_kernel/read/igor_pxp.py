"""Packed Igor experiments (.pxp): records one after the other, the waves among them."""

import struct

import xarray as xr

from qpi_kernel.read.igor_wave import is_wave, read_waves
from qpi_kernel.read.recording import Reader, Source

RECORD = "hhi"  # kind, version, bytes
WAVE = 3
# Bit 15 marks a record that a later one replaces.
KIND, REPLACED = 0x7FFF, 0x8000
LARGEST_KIND = 30


def recognises(content: bytes) -> bool:
    """Tell an experiment by its first records: known kinds, and one of them a wave."""
    return any(is_wave(wave) for wave in _waves(content))


def read(source: Source) -> xr.Dataset:
    """Read the waves of an experiment that are maps on one grid: the grid of spectra, if any.

    Raises
    ------
    ReadError
        If igor2 is not installed, or no wave is a map.
    """
    waves = [wave for wave in _waves(source.content) if is_wave(wave)]
    if not waves:
        raise source.error("records with waves", "none", "save the experiment again, as packed")
    return read_waves(source, waves)


def _waves(content: bytes) -> list[bytes]:
    """Return the contents of the wave records, up to the first that is damaged or cut."""
    for order in "<>":
        waves, place = [], 0
        while place + 8 <= len(content):
            mark, _, size = struct.unpack_from(order + RECORD, content, place)
            kind, place = mark & KIND, place + 8
            if kind > LARGEST_KIND or size < 0 or place + size > len(content):
                break
            if kind == WAVE and not mark & REPLACED:
                waves.append(content[place : place + size])
            place += size
        if waves:
            return waves
    return []


READER = Reader("Igor experiment", (".pxp", ".pxt"), recognises, read)
