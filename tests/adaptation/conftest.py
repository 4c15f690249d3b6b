import hashlib
import io

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def adaptation(default_parameters):
    """The parameters of an adaptation, with changes."""
    from pneumonia.base.places import AdaptationParameters

    def change(**changes):
        return AdaptationParameters.model_validate({**default_parameters["adaptation"], **changes})

    return change


@pytest.fixture(scope="session")
def other_stores(tmp_path_factory):
    """Pixel stores that hold one image, none of the tiny ones."""
    from pneumonia.pixels.request import PixelRequest
    from pneumonia.pixels.store import PixelStores

    content = io.BytesIO()
    Image.new("L", (32, 32)).save(content, "PNG")
    image = content.getvalue()
    stores = PixelStores(tmp_path_factory.mktemp("others"))
    stores.fill(PixelRequest(("x",), (hashlib.sha256(image).hexdigest(),), 32, "squeeze", {"x": image}.get))
    return stores
