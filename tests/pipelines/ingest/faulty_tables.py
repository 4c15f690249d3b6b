"""Faulty tables beside images, by name and kind of fault: the message, and the bytes. Another takes one more line."""

import numpy as np
from tests.pipelines.ingest.faulty_images import JPEG

TABLES = {
    "groups.csv": {
        "empty": ("needs the columns path and group", b""),
        "no columns": ("needs the columns path and group; it has none", b"\n\n\n"),
        "other columns": ("needs the columns path and group", b"file,child\na.png,1\n"),
        "no group": ("line 2: a path and a group are needed", b"path,group\ntrain/NORMAL/a.png,\n"),
        "unknown file": ("has no group for 2 of the images", b"path,group\nz.png,1\n"),
        "two groups of a file": (
            "under two groups, 1 and 2",
            b"path,group\ntrain/NORMAL/a.png,1\ntrain/NORMAL/a.png,2\n",
        ),
        "cells too many": ("line 2: more cells than columns", b"path,group\ntrain/NORMAL/a.png,1,2,3\n"),
        "cells too few": ("line 2: a path and a group are needed", b"path,group\ntrain/NORMAL/a.png\n"),
        "open quote": ("line 2: a quotation mark opens a cell", b'path,group\n"train/NORMAL/a.png,1\n'),
        "half in UTF-16": ("not a CSV table in UTF-8", b"path,group\n" + "a.png,1\n".encode("utf-16")),
        "zero bytes": ("not a CSV table in UTF-8", b"path,group\n\0\0\0,1\n"),
        "a spreadsheet": ("is a spreadsheet. Save it as CSV", b"PK\x03\x04" + np.random.default_rng(0).bytes(500)),
        "an image": ("not a CSV table in UTF-8", JPEG),
        "a cell of a million letters": ("field larger than field limit", b"path,group\n" + b"x" * 10**6 + b",1\n"),
    },
    "labels.csv": {
        "empty": ("no column that is known as path or label; it has none", b""),
        "other columns": ("no column that is known as path or label; it has who, what", b"who,what\nann,1\n"),
        "paths alone": ("no column that is known as label; it has path", b"path\ntrain/NORMAL/a.png\n"),
        "no label": ("gives no file a usable label", b"path,label\ntrain/NORMAL/a.png,\n"),
        "unknown files": ("None of the 1 rows", b"path,label\nz.png,1\n"),
        "unknown labels": ("gives no file a usable label", b"path,label\ntrain/NORMAL/a.png,COVID\n"),
        "open quote": ("line 2: a quotation mark opens a cell", b'path,label\n"train/NORMAL/c.png,1\n'),
        "half in UTF-16": ("not a CSV table in UTF-8", b"path,label\n" + "a.png,1\n".encode("utf-16")),
        "zero bytes": ("not a CSV table in UTF-8", b"path,label\n\0\0\0,1\n"),
        "an image": ("not a CSV table in UTF-8", JPEG),
        "a spreadsheet": ("is a spreadsheet. Save it as CSV", b"PK\x03\x04" + np.random.default_rng(0).bytes(500)),
    },
}
