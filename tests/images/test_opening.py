import numpy as np
import pytest
from tests.cases.writing import png, read_table

from pneumonia.images.opening import open_image, to_grey
from pneumonia.images.refusal import RefusedError

CASES = read_table("cases.yml")["png"]


@pytest.mark.parametrize(("kind", "values", "said"), CASES.values(), ids=CASES)
def test_a_png_has_the_grey_levels_of_the_cases_or_is_refused(kind, values, said):
    with open_image(png(kind, values)) as image:
        if isinstance(said, str):
            with pytest.raises(RefusedError, match=said):
                to_grey(image)
        else:
            assert np.asarray(to_grey(image)).ravel().tolist() == said
