"""Age and sex of a patient as tables and DICOM headers write them, in the large languages."""

import re
import unicodedata

from pneumonia.base.text import fold

# What the image index tells of a patient and of how the image was taken.
ATTRIBUTES = ("age", "sex", "view", "device")

# No older person is known; larger numbers, such as 999, stand for something else.
MOST_YEARS = 120

_DAYS_OF_A_YEAR = 365.25
# Words for units of age, by how many make a year. An "m" is a month, as in DICOM.
_UNITS = {
    1.0: """y y/o yr yrs yo year years a an ans année années año años ano anos anno anni jr jahr jahre jahren jaar
        jaren år г г. год года лет л рік років rok roku lata lat let roky év éves vuotta vuosi v yaş yaşında yıl
        ετών έτη έτος 岁 周岁 歲 年 歳 才 세 살 년 سنة سنوات عام वर्ष साल tahun thn tuổi năm ปี""",
    12.0: """m m/o mo mos mon mth mths month months monat monate monaten mt mois mes meses mese mesi maand maanden mnd
        mån månad månader måned måneder мес мес. месяц месяца месяцев м міс місяць місяців mies miesiąc miesiące
        miesięcy měsíc měsíce měsíců hó hónap hónapos kk kuukausi kuukautta ay aylık μηνών μήνες μήνας 月 个月
        個月 か月 カ月 ヶ月 ケ月 ヵ月 箇月 月龄 개월 달 월 شهر أشهر شهور महीने महीना माह bulan bln tháng เดือน""",
    _DAYS_OF_A_YEAR / 7: """w wk wks week weeks wo wch woche wochen semaine semaines sem semana semanas settimana
        settimane sett weken vecka veckor uge uger uke uker нед нед. неделя недели недель тиждень тижні tyg
        tydzień tygodnie tygodni týden týdny týdnů hét hetes viikko viikkoa hafta haftalık εβδομάδες εβδομάδων 周
        週 星期 週間 주 أسبوع أسابيع सप्ताह हफ्ते minggu tuần สัปดาห์""",
    _DAYS_OF_A_YEAR: """d dy dys day days t tg tag tage tagen jour jours día días dia dias giorno giorni gg dag
        dagen dagar dage dager д дн день дня дней доба днів dzień dni den dny dní nap napos pv päivä päivää gün
        günlük ημέρες ημερών 天 日 日龄 일 يوم أيام दिन hari hr. ngày วัน""",
    24 * _DAYS_OF_A_YEAR: "h hr hrs hour hours std stunde stunden heure heures hora horas ora ore uur uren",
}  # fmt: skip
PER_YEAR = {fold(word): per_year for per_year, words in _UNITS.items() for word in words.split()}
_PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*([^\d\s,;]*)[\s,;]*(?:(?:und|and|et|y|e|en|и|&)\s+(?=\d))?")
_DECORATION = re.compile(r"^(?:aged?|alter|about|circa|ca\.?|[~>≥])\s*|[\s-]*(?:old|alt|of age|o/d)$|(?<=\d)\+$")
_HYPHEN = re.compile(r"(?<=\d)-(?=[^\W\d])")

_SEXES = {
    "M": """m ♂ male males man men boy masculine mâle h hombre homme garçon garcon masculin masculino varon varón niño
        macho masc mann männlich maennlich mannlich männl maennl junge knabe herr bub homem menino maschio maschile
        uomo bambino mannelijk jongen mand hane pojke dreng gutt mies poika м муж мужской мужчина мальчик чоловік чол
        mężczyzna mezczyzna męski muž chlapec férfi fiú 男 男性 男孩 男子 남 남자 남성 erkek bay ذكر رجل पुरुष लड़का laki
        laki-laki lakilaki pria nam άνδρας ανδρας αρρεν άρρεν ชาย""",
    "F": """f ♀ female females femal woman women girl feminine w weibl weiblich frau mädchen maedchen dame femme fille
        féminin feminin féminine fem mujer femenino femenina hembra niña feminino mulher menina femmina femminile
        donna bambina vrouw vrouwelijk meisje k kvinna kvinde kvinne flicka pige jente nainen tyttö ж жен женский
        женщина девочка жінка kobieta żeński zenski žena zena dívka nő lány 女 女性 女孩 女子 여 여자 여성 kadın
        kadin bayan kız أنثى انثى امرأة महिला स्त्री लड़की perempuan wanita nữ γυναίκα γυναικα θήλυ θηλυ หญิง""",
    "O": """o other d divers diverse andere autre otro otra outro altro anders другой 其他 その他 기타 nonbinary
        non-binary intersex x inter""",
}
_SEX_OF = {fold(word): sex for sex, words in _SEXES.items() for word in words.split()}

_GAPS = frozenset(
    """
    |-|--|---|.|?|??|na|n/a|nan|nil|null|none|unknown|unk|u|missing|not available|not specified|not known|no data
    |undefined|unspecified|undetermined|unbekannt|keine angabe|k.a.|k. a.|inconnu|inconnue|nc|n.c.|desconocido
    |desconocida|desconhecido|sconosciuto|onbekend|неизвестно|н/д|未知|不明|미상|#n/a|#nv|#na
    """.replace("\n    ", "").split("|")
)


def is_gap(text: str) -> bool:
    """Tell whether a cell says that nothing is known.

    >>> is_gap(" n/a "), is_gap("62")
    (True, False)
    """
    return _plain(text) in _GAPS


def parse_age(text: str, per_year: float = 1.0) -> float | None:
    """Return an age in years; None if it is not known, cannot be read, or is above 120 years.

    Args:
        text: The age as written.
        per_year: How many of the unit that a number without one counts make a year.

    >>> parse_age("062Y"), parse_age("34,5"), parse_age("6 Monate"), parse_age("1 Jahr, 6 Monate"), parse_age("old")
    (62.0, 34.5, 0.5, 1.5, None)
    """
    words = _HYPHEN.sub(" ", _DECORATION.sub("", _plain(text)).strip())
    words = words[1:] if re.match(r"p\d", words) else words  # ISO 8601
    if re.fullmatch(r"\d+(?:[.,]\d+)?", words):
        return _within_life(_number(words) / per_year)
    if german := re.fullmatch(r"(\d+)\s*j\.?", words):  # Jahre, or the days of a French infant
        return _within_life(_number(german[1])) if _number(german[1]) > 31 else None
    years, position, former = 0.0, 0, 0.0
    while position < len(words):
        part = _PART.match(words, position)
        units = PER_YEAR.get(part[2].rstrip("./")) if part else None
        if part is None or units is None or units <= former:
            return None
        years += _number(part[1]) / units
        position, former = part.end(), units
    return _within_life(years) if words else None


def write_age(years: float | None) -> str:
    """Return an age as it stands in the image index: years in four digits; empty if unknown.

    >>> write_age(62.0), write_age(1 / 12), write_age(None)
    ('62', '0.08333', '')
    """
    return "" if years is None else f"{years:.4g}"


def parse_sex(text: str) -> str:
    """Return F, M or O; empty if the sex is not known or cannot be read.

    >>> parse_sex("weiblich"), parse_sex("M (male)"), parse_sex("2")
    ('F', 'M', '')
    """
    plain = _plain(text)
    found = {_SEX_OF.get(plain.strip(".()[] "), "")}
    if found == {""}:
        found = {_SEX_OF.get(word, "") for word in re.findall(r"[^\W\d_]+", plain) if word not in ("sex", "gender")}
    return found.pop() if len(found) == 1 else ""


def _plain(text: str) -> str:
    return " ".join(fold(unicodedata.normalize("NFKC", text)).split())


def _number(digits: str) -> float:
    return float(digits.replace(",", "."))


def _within_life(years: float) -> float | None:
    return years if years <= MOST_YEARS else None
