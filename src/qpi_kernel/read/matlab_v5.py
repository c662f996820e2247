"""MATLAB files of version 5 (-v6 and -v7): arrays of real numbers, and structs of them.

Read here and not by scipy, whose reader crashes on damaged files.
"""

import math
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from qpi_kernel.read.recording import Source

HEADER_BYTES = 128
# Types of data elements, and classes of arrays.
NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
MATRIX, COMPRESSED = 14, 15
STRUCT, NUMERIC = 2, range(6, 16)
COMPLEX = 0x0800
CHUNK_BYTES = 2**20
DEEPEST = 4


class DamageError(Exception):
    """Bytes that are no elements."""


def load_variables(source: Source) -> dict[str, Any]:
    """Return arrays, squeezed, and structs as dicts; None for cells, texts and the like.

    Raises
    ------
    ReadError
        If an element is cut or damaged.
    """
    content = source.content
    order = {b"IM": "<", b"MI": ">"}.get(content[HEADER_BYTES - 2 : HEADER_BYTES], "<")
    variables, place, claimed = {}, HEADER_BYTES, 0
    try:
        while place + 8 <= len(content):
            kind, payload, place = _element(content, place, order)
            if kind == COMPRESSED:
                payload = _inflated(source, payload, claimed)
                claimed += len(payload)
                kind, payload, _ = _element(payload, 0, order)
            if kind == MATRIX:
                name, value = _matrix(payload, order, 0)
                variables[name] = value
    except (DamageError, struct.error, zlib.error, ValueError, LookupError):
        raise source.error("complete variables", "a damaged or cut one", "save it again") from None
    return variables


def _inflated(source: Source, payload: bytes, claimed: int) -> bytes:
    inflate, pieces, size = zlib.decompressobj(), [], 0
    while payload and not inflate.eof:
        pieces.append(inflate.decompress(payload, CHUNK_BYTES))
        payload, size = inflate.unconsumed_tail, size + len(pieces[-1])
        source.check_claim(claimed + size)
    if not inflate.eof:
        raise DamageError
    return b"".join(pieces)


def _element(content: bytes, place: int, order: str) -> tuple[int, bytes, int]:
    """Return the type of the element at `place`, its bytes, and where the next one begins."""
    kind, size = struct.unpack_from(f"{order}2I", content, place)
    if kind >> 16:
        # Up to four bytes stand in the place of their size.
        size, kind = kind >> 16, kind & 0xFFFF
        return kind, content[place + 4 : place + 4 + size], place + 8
    end = place + 8 + size
    if end > len(content):
        raise DamageError
    padding = 0 if kind == COMPRESSED else -size % 8
    return kind, content[place + 8 : end], end + padding


def _numbers(content: bytes, place: int, order: str) -> tuple[npt.NDArray[Any], int]:
    kind, payload, place = _element(content, place, order)
    return np.frombuffer(payload, order + NUMBERS[kind]), place


def _matrix(content: bytes, order: str, depth: int) -> tuple[str, Any]:
    """Return the name and the value of an array, None if it is neither numbers nor one struct."""
    flags, place = _numbers(content, 0, order)
    shape, place = _numbers(content, place, order)
    _, name, place = _element(content, place, order)
    text = name.decode("latin-1")
    sizes = [int(size) for size in shape]
    if min(sizes, default=0) < 0 or not flags.size:
        raise DamageError
    kind, count = int(flags[0]) & 0xFF, math.prod(sizes)
    if kind in NUMERIC and not int(flags[0]) & COMPLEX:
        values, _ = _numbers(content, place, order)
        return text, np.squeeze(values.reshape(sizes, order="F"))
    if kind == STRUCT and count == 1 and depth < DEEPEST:
        return text, _fields(content, place, order, depth)
    return text, None


def _fields(content: bytes, place: int, order: str, depth: int) -> dict[str, Any]:
    (width, *_), place = _numbers(content, place, order)
    _, names, place = _element(content, place, order)
    if width < 1:
        raise DamageError
    fields = {}
    for first in range(0, len(names), int(width)):
        name = names[first : first + int(width)].split(b"\0")[0].decode("latin-1")
        kind, payload, place = _element(content, place, order)
        fields[name] = _matrix(payload, order, depth + 1)[1] if kind == MATRIX and payload else None
    return fields
