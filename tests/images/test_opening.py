import numpy as np
import pytest
from tests.cases.writing import png, read_table
from tests.pipelines.ingest.faulty_images import tiff

from pneumonia.images.opening import open_image, to_grey
from pneumonia.images.status import RefusedError

CASES = read_table("cases.yml")["png"]


@pytest.mark.parametrize(("kind", "values", "said"), CASES.values(), ids=CASES)
def test_a_png_has_the_grey_levels_of_the_cases_or_is_refused(kind, values, said):
    with open_image(png(np.array(values, kind))) as image:
        if isinstance(said, str):
            with pytest.raises(RefusedError, match=said):
                to_grey(image)
        else:
            assert np.asarray(to_grey(image)).ravel().tolist() == said


@pytest.mark.parametrize(("bits", "values"), [(8, [0, 85, 255]), (16, [0, 341, 1023]), (16, [0, 21845, 65535])])
@pytest.mark.parametrize("is_inverted", [False, True])
def test_low_values_of_a_tiff_are_bright_if_it_says_so(bits, values, is_inverted):
    pixels = np.resize(values, 4096).astype(f"<u{bits // 8}").tobytes()

    with open_image(tiff({258: bits, 262: 0 if is_inverted else 1, 279: len(pixels)}, pixels=pixels)) as image:
        grey = np.asarray(to_grey(image)).ravel()[:3]

    assert grey.tolist() == ([255, 170, 0] if is_inverted else [0, 85, 255])
