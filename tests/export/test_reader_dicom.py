"""DICOM files as the reader's page decodes them, compared with the pipeline."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pneumonia.pixels.decoding import decode_image

SCRIPT = """
import { readFileSync } from "node:fs";
const { readDicom } = await import(process.argv[1] + "/dicom.js");
const { square } = await import(process.argv[1] + "/resize.js");
process.stdout.write(square(readDicom(new Uint8Array(readFileSync(process.argv[2]))), 128, "squeeze"));
"""


@pytest.mark.slow
def test_a_radiograph_has_the_pixels_of_the_pipeline(project):
    assert shutil.which("node"), "Node.js 20 or newer is missing: install nodejs"
    from pydicom.data import get_testdata_file

    path = get_testdata_file("RG1_UNCR.dcm", download=False)
    assert path, "RG1_UNCR.dcm is missing: pip install pydicom-data"
    command = ["node", "--input-type=module", "--eval", SCRIPT, str(project / "src/reader"), path]
    pixels = subprocess.run(command, capture_output=True, check=True).stdout
    expected = decode_image(Path(path).read_bytes(), 128, "squeeze")
    np.testing.assert_array_equal(np.frombuffer(pixels, np.uint8).reshape(128, 128), expected)
