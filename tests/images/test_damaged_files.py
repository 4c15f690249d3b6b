"""Image files damaged at random: whatever is found usable can be decoded, and nothing ends in a traceback."""

from collections import Counter

import numpy as np
import pytest
from tests.datasets.test_fuzzing import MUTATIONS, mutate
from tests.images.dicom_files import make
from tests.images.test_dicom import BODY, COMPRESSED, RAMP, jpeg
from tests.pipelines.ingest.faulty_images import MASK, encode
from tests.pipelines.ingest.odd_images import ACCEPTED

from pneumonia.base.errors import UserError
from pneumonia.images.depth import bits_of
from pneumonia.images.examine import Limits, examine_image, read_values
from pneumonia.images.grouping import PatientKey
from pneumonia.pixels.decoding import decode_image

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

LIMITS = Limits(min_side=32, max_pixels=1_000_000)
KINDS = {
    "DICOM": make(WindowCenter=2048, WindowWidth=4096, ViewCodeSequence=("R-10214", "pa"), RescaleSlope=-1),
    "DICOM, implicit": make(implicit=True, BodyPartExamined="göğüs", PixelPaddingValue=7),
    "DICOM, big endian": make(big_endian=True, BitsStored=16, HighBit=15),
    "DICOM without meta information": BODY,
    "DICOM with tables": make(VOILUTSequence=(300, 0, 8, "n % 256"), ModalityLUTSequence=(4096, 0, 10, "n // 4")),
    "DICOM with a JPEG": make(**COMPRESSED, PixelData=jpeg(RAMP)),
    "DICOM with a colour JPEG": make(**COMPRESSED, PixelData=jpeg(RAMP.convert("RGB"))),
    "mask.png": encode(MASK, "PNG"),
    "turned.jpeg": ACCEPTED["turned.jpeg"][1],
    **{name: data for name, (note, data) in ACCEPTED.items() if "opaque" in note or "16-bit" in name},
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_found_usable_can_be_decoded(kind, tmp_path):
    rng, ends, key = np.random.default_rng(2018), Counter(), PatientKey(tmp_path / "key")
    assert not examine_image(KINDS[kind], "a", LIMITS).problem
    for _ in range(MUTATIONS):
        data = mutate(KINDS[kind], rng)
        facts = examine_image(data, "a", LIMITS, key.group_of)
        quick = examine_image(data, "a", LIMITS, compare=False)
        assert not (quick.refusal and not facts.refusal), (quick, facts)
        if facts.refusal:
            ends["refused"] += 1
            continue
        bits = bits_of([facts.extremes]) if facts.detector else facts.stored
        assert (read_values(data, LIMITS).detector != "") == (facts.detector != "")
        try:
            decode_image(data, 32, "pad", bits)
            ends["used"] += 1
        except UserError as error:
            ends[f"{facts.note}: {error}"] += 1
    assert set(ends) <= {"used", "refused"}, ends
    assert ends["refused"] > MUTATIONS / 20
