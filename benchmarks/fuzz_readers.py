"""Does a damaged file ever do anything but raise ReadError? Prints a Markdown table.

    python -m benchmarks.fuzz_readers [--inputs 5000] [--seed 0] [FORMAT ...]

Takes a small good file of each format and damages it: cut anywhere, bits flipped, bytes
overwritten, words and numbers replaced by hostile ones, pieces repeated or left out. Each format
is read in a process of its own, so that a crash is one line of the table. "slowest" and "memory"
are the worst of all inputs, memory beyond the idle process. Linux only.
"""

import argparse
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

# A reader that asks for more is at fault, and must not take the machine with it.
LARGEST_BYTES = 6 * 2**30
WORDS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**24, 2**16, 10**6)
NUMBERS = (b"0", b"-1", b"1", b"999999999", b"1e308", b"nan", b"-inf", b"", b"1e-320", b"3.5")


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return a file with one to three kinds of damage."""
    for _ in range(rng.randint(1, 3)):
        content = rng.choice(DAMAGES)(content, rng) if content else content
    return content


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def flip_bits(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 20))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(content: bytes, rng: random.Random) -> bytes:
    place, count = rng.randrange(len(content)), rng.choice((1, 4, 16, 200))
    filling = rng.choice((bytes(count), b"\xff" * count, rng.randbytes(count)))
    return content[:place] + filling + content[place + count :]


def hostile_word(content: bytes, rng: random.Random) -> bytes:
    """Replace a 32-bit or 64-bit integer, most often in the first part, where headers are."""
    end = rng.choice((64, 512, len(content)))
    place = rng.randrange(min(len(content), end)) // rng.choice((1, 2, 4)) * rng.choice((1, 2, 4))
    word = struct.pack(rng.choice(("<I", ">I", "<Q", ">Q")), rng.choice(WORDS))
    return content[:place] + word + content[place + len(word) :]


def hostile_number(content: bytes, rng: random.Random) -> bytes:
    """Replace a number in the text of a header."""
    found = list(re.finditer(rb"\d+(\.\d+)?", content[:20000]))
    if not found:
        return content
    number = rng.choice(found)
    return content[: number.start()] + rng.choice(NUMBERS) + content[number.end() :]


def rearrange(content: bytes, rng: random.Random) -> bytes:
    first, last = sorted(rng.randrange(len(content)) for _ in range(2))
    piece = content[first:last][:5000]
    return content[:first] + piece * rng.choice((0, 2, 3)) + content[first + len(piece) :]


DAMAGES = (cut, flip_bits, overwrite, hostile_word, hostile_number, rearrange)


def peak_bytes() -> int:
    return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def try_format(suffix: str, inputs: int, seed: int, folder: Path) -> None:
    """Read damaged files of one format, and print the counts; runs in a process of its own."""
    from qpi_kernel.read import ReadError, read_file
    from tests.library.read.examples import examples

    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_BYTES, LARGEST_BYTES))
    example = examples(folder)[suffix.removeprefix("parameters ")]
    contents = {example.name: example.content, **example.beside}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    victim = next(iter(example.beside)) if suffix.startswith("parameters ") else example.name
    rng = random.Random(f"{suffix} {seed}")
    read_file(folder / example.name, size_nm=(7, 5))
    counts = {"read": 0, "refused": 0, "failed": 0}
    slowest = most = 0.0
    for _ in range(inputs):
        content = damaged(contents[victim], rng)
        (folder / victim).write_bytes(content)
        Path("/proc/self/clear_refs").write_text("5")
        before, start = peak_bytes(), time.perf_counter()
        try:
            read_file(folder / example.name, size_nm=(7, 5))
            counts["read"] += 1
        except ReadError:
            counts["refused"] += 1
        except BaseException:
            counts["failed"] += 1
            sys.stderr.write(traceback.format_exc(limit=-4))
        slowest = max(slowest, time.perf_counter() - start)
        most = max(most, peak_bytes() - before)
    print(*counts.values(), 1e3 * slowest, most / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*")
    parser.add_argument("--inputs", type=int, default=5000, help="of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder is not None:
        (suffix,) = arguments.formats
        try_format(suffix, arguments.inputs, arguments.seed, arguments.folder)
        return

    from tests.library.read.examples import examples

    with tempfile.TemporaryDirectory() as folder:
        suffixes = arguments.formats or [*examples(Path(folder)), "parameters _mtrx"]
    print("| file | inputs | read | refused | failed | slowest (ms) | memory (MB) |")
    print("|---|---|---|---|---|---|---|")
    total = 0
    for suffix in suffixes:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.fuzz_readers", suffix, "--folder", folder]
            command += ["--inputs", str(arguments.inputs), "--seed", str(arguments.seed)]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            sys.stderr.write(run.stderr)
            if run.returncode:
                print(f"| {suffix} | crashed with status {run.returncode} | | | | | |", flush=True)
                continue
            read, refused, failed, slowest, most = run.stdout.split()
            total += arguments.inputs
            print(
                f"| {suffix} | {arguments.inputs} | {read} | {refused} | {failed}"
                f" | {float(slowest):.0f} | {float(most):.0f} |",
                flush=True,
            )
    print(f"\n{total} inputs")


if __name__ == "__main__":
    main()
