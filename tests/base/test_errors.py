import pytest

from pneumonia.base.errors import hide_all_credentials, hide_credentials


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("s3://KEY:SECRET@bucket/set", "s3://***@bucket/set"),
        ("s3://KEY:SE@CRET@bucket/set", "s3://***@bucket/set"),
        ("s3://KEY:SE/CRET+/=@bucket/set", "s3://***@bucket/set"),
        ("s3://TOKEN@bucket/set", "s3://***@bucket/set"),
        ("s3://TO@KEN@bucket/set", "s3://***@bucket/set"),
        ("https://host/a.zip?X-Amz-Signature=SECRET&X-Amz-Date=1", "https://host/a.zip?***"),
        ("simplecache::s3://KEY:SECRET@bucket/set", "simplecache::s3://***@bucket/set"),
        (
            "kedro run '--params=images=s3://KEY:SECRET@bucket/set,a=1'",
            "kedro run '--params=images=s3://***@bucket/set,a=1'",
        ),
    ],
)
def test_keys_and_signatures_are_replaced(address, shown):
    assert hide_credentials(address) == shown


@pytest.mark.parametrize(
    "address", ["s3://bucket/set", "https://host:8080/set.zip", "/data/a@b?c", "s3://bucket/a@b/c"]
)
def test_an_address_without_them_stays_as_it_is(address):
    assert hide_credentials(address) == address


def test_every_text_of_a_nested_value_is_one_that_may_be_shown():
    value = {
        "a": ["s3://KEY:SECRET@b", ("ftp://u:SECRET@h",)],
        "b": {"c": "https://h?sig=SECRET"},
        "n": 1,
        "none": None,
    }

    assert hide_all_credentials(value) == {
        "a": ["s3://***@b", ["ftp://***@h"]], "b": {"c": "https://h?***"}, "n": 1, "none": None,
    }  # fmt: skip
