"""An independent reader of Gwyddion simple fields."""

import struct

import numpy as np


def read_gsf(path):
    """Return header and values (row 0 at the top) of a file, by the specification."""
    content = path.read_bytes()
    assert content.startswith(b"Gwyddion Simple Field 1.0\n")
    end = content.index(b"\0")
    start = end + 4 - end % 4
    assert content[end:start] == bytes(start - end)
    lines = content[:end].decode().splitlines()[1:]
    header = dict(line.split(" = ", 1) for line in lines)
    shape = int(header["YRes"]), int(header["XRes"])
    count = shape[0] * shape[1]
    assert len(content) - start == 4 * count
    return header, np.array(struct.unpack(f"<{count}f", content[start:])).reshape(shape)
