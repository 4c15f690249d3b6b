import json

from pneumonia.base.text import Labelled


class Fruit(Labelled):
    APPLE = "apple", "An apple"


def test_a_key_is_its_value_and_has_a_label():
    assert Fruit("apple") is Fruit.APPLE
    assert Fruit.APPLE.label == "An apple"
    assert (str(Fruit.APPLE), json.dumps(Fruit.APPLE)) == ("apple", '"apple"')
