import pytest

from pneumonia.images.attributes import is_gap, parse_age, parse_sex, write_age

YEARS = {
    62: "62|062Y|62Y|62 y|62 yrs.|62 years old|62-year-old|62 Jahre|62 ans|62 años|62 anni|62 jaar|62 лет|62岁"
    "|62歳|62세|62.0|٦٢|６２|62 J.|aged 62|62+|>62|62 yo|62a|P62Y|62 lat|62 yaş| 62 |62 y/o",
    34.5: "34,5|34.5|"
    "34,5 Jahre|34.5Y|34 Jahre 6 Monate|34 years, 6 months|34Y6M|P34Y6M|34 ans et 6 mois|34岁6个月|34歳6か月",
    0.5: "6M|006M|6 Monate|6 mois|6 meses|6 mesi|6 mo.|6 мес.|6个月|6ヶ月|6개월|6 Monate alt|0,5|6 m/o",
    3: "3 yıl|3 YIL|3 έτη|3 ΕΤΗ|36 AYLIK|36 ΜΗΝΕΣ|36 μήνες",
    0: "0|000D|0 Y",
    120: "120|120Y|1440M",
}
UNREAD = (
    "|unknown|121|999|411|412Y|-5|60-65|adult|6 X|6 decades|5 J|1.2.3|M62|Y|12 12|6M 1Y|nan|1e1|62Y/M|1960-05-03|<1"
)


@pytest.mark.parametrize(
    ("years", "text"), [(years, text) for years, texts in YEARS.items() for text in texts.split("|")]
)
def test_an_age_is_read_in_years(years, text):
    assert parse_age(text) == pytest.approx(years, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "days"), [("3W", 21), ("3 Wochen", 21), ("10D", 10), ("10 Tage", 10), ("3周", 21), ("36 h", 1.5)]
)
def test_an_age_in_weeks_days_or_hours_is_a_part_of_a_year(text, days):
    assert parse_age(text) == pytest.approx(days / 365.25)


@pytest.mark.parametrize("text", UNREAD.split("|"))
def test_what_is_no_age_is_none(text):
    assert parse_age(text) is None


@pytest.mark.parametrize(
    ("sex", "words"),
    [
        (
            "M",
            "M|m|male|Male |MAN|männlich|Mann|homme|H|hombre|masculino|maschio|мужской|м|"
            "男|男性|남|erkek|ذكر|ΑΝΔΡΑΣ|άνδρας|(M)|Mężczyzna|männl.|♂|M (male)|male sex",
        ),
        (
            "F",
            "F|W|w.|weiblich|Frau|female|WOMAN|femme|mujer|femenino|femmina|vrouw|женский|Ж|女|여성|kadın|KIZ|kız|ΓΥΝΑΙΚΑ|أنثى|K"
            "|Kobieta|weibl.|♀|F - female",
        ),
        ("O", "O|other|divers|D|Autre|其他"),
        ("", "|U|unknown|1|2|0|V|MF|yes|9|not male|M / F|sex"),
    ],
)
def test_a_sex_is_read_in_the_large_languages(sex, words):
    assert {word: parse_sex(word) for word in words.split("|")} == dict.fromkeys(words.split("|"), sex)


@pytest.mark.parametrize("text", ["", " ", "-", "N/A", "unknown", "k. A.", "keine Angabe", "#NV", "null", "未知"])
def test_a_gap_is_told_from_what_cannot_be_read(text):
    assert is_gap(text)
    assert not is_gap("62 or so")


@pytest.mark.parametrize(
    ("years", "text"), [(None, ""), (62.0, "62"), (34.5, "34.5"), (100.0, "100"), (1 / 12, "0.08333")]
)
def test_an_age_is_written_in_four_digits(years, text):
    assert write_age(years) == text
