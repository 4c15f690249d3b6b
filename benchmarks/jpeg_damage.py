"""How much damage inside JPEG files is noticed, and how many undamaged files would be refused.

    python benchmarks/jpeg_damage.py --images FOLDER [FOLDER ...] [--files 250] [--seed 0]

In each file, the data after the first scan's header is damaged at a random place, but never in the last 700 bytes.
"""

import argparse
import random
from collections.abc import Callable
from pathlib import Path

from pneumonia.images.examine import Limits, examine_image

LIMITS = Limits(min_side=1, max_pixels=10**9)
SCAN, END = b"\xff\xda", 700  # bytes


def change_byte(data: bytes, place: int) -> bytes:
    """One byte becomes another."""
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


def zero(data: bytes, place: int) -> bytes:
    """64 bytes become 0."""
    return data[:place] + bytes(64) + data[place + 64 :]


def remove(data: bytes, place: int) -> bytes:
    """512 bytes are missing."""
    return data[:place] + data[place + 512 :]


KINDS: tuple[Callable[[bytes, int], bytes], ...] = (change_byte, zero, remove)


def main() -> None:
    """Print how many files are refused, undamaged and damaged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    parser.add_argument("--files", type=int, default=250, help="that are damaged")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    paths = sorted(path for folder in arguments.images for path in folder.rglob("*.jp*g"))
    refused = [path for path in paths if examine_image(path.read_bytes(), path.name, LIMITS).problem]
    print(f"as they are: {len(refused)} of {len(paths)} refused")
    draw = random.Random(arguments.seed)
    for kind in KINDS:
        chosen = draw.sample(paths, min(arguments.files, len(paths)))
        found = sum(is_found(path.read_bytes(), kind, draw) for path in chosen)
        print(f"{(kind.__doc__ or '').rstrip('.')}: {found} of {len(chosen)} found")


def is_found(data: bytes, kind: Callable[[bytes, int], bytes], draw: random.Random) -> bool:
    """Damage a file at a random place and tell whether it is refused."""
    begin = data.index(SCAN) + 20
    place = draw.randrange(begin, max(begin + 1, len(data) - END))
    return bool(examine_image(kind(data, place), "image.jpeg", LIMITS).problem)


if __name__ == "__main__":
    main()
