"""Which class or which split a word means: a folder's name, or the word in a table."""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import PurePosixPath

from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.images.tables import spelling

# Kinds of pneumonia, beside the word for it.
_KINDS = re.compile(
    r"(?<![^\W\d_])(?:bacteria|bacterial|viral|virus|virale|lobar|interstitial|atypical|aspiration|bronchial|"
    r"(?:community|hospital)[ _-]acquired|covid(?:[ _-]?19)?|bakteriell|bactérienne|bacteriana|vírica|batterica)"
    r"(?![^\W\d_])",
    re.IGNORECASE,
)
# What the header of a column that says yes or no has besides the class.
_ASKING = re.compile(
    r"(?<![^\W\d_])(?:flag|present|presence|status|gt|diagnosis|diagnosed|label|target|binary)(?![^\W\d_])",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_DOUBT = re.compile(r"\w[\s(_]*[-−–?？][\s)]*$")
SPLITS = ("train", "val", "test")
# The published split of an image whose source has no train, val and test folders.
UNSPLIT = "none"
_CALLED = {
    "train": """train train2017 training trn trainset trainingset trainingdata traindata trainimages trainingimages tr
        trainingsdaten entrenamiento entraînement entrainement treino treinamento addestramento обучение 训练 训练集
        eğitim egitim trening treningowe träning trénink apprentissage 訓練 学習 학습 훈련""",
    "val": """val val2017 va valid eval evalset validation validate validating dev development devset valset validset
        validationset validationdata valdata valimages validationimages tuning tune validierung validierungsdaten
        doğrulama dogrulama walidacja walidacyjne validatie validering validace validación validacion
        validação validacao validazione валидация 验证 验证集 検証 검증""",
    "test": """test test2017 evaluation evaluationset te testing tests tst testset testingset testdata
        testimages testingimages holdout heldout holdoutset testdaten prueba teste testowe тест 测试 测试集 テスト
        테스트 시험""",
}  # fmt: skip
# Beside the word, as in chest_xray_train, test_dataset, val_224x224, train (1) and train1.
_BESIDE = re.compile(
    r"(?<![^\W\d_])(?:chest|x[ _-]?rays?|cxr|data|dataset|sets?|splits?|folder|images?)(?![^\W\d_])|"
    r"[ _-]\d{3,4}(?:x\d{3,4})?$|\(\d+\)$|(?<=train)[ _-]?\d{1,2}$",
    re.IGNORECASE,
)
_SPLIT_OF = {spelling(word): split for split, words in _CALLED.items() for word in words.split()}

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Before the word, as in 01_train.
_NUMBER = re.compile(r"^\s*\d+[\s_.-]+")


def _spelled(words: str) -> frozenset[str]:
    return frozenset(map(spelling, words.split()))


# What people call the two classes of this project, in the large languages.
_MEANT = (
    _spelled(
        """pneumonia pnemonia pnuemonia pneumonias pneumonie pneumonien pneumonies lungenentzündung lungenentzuendung
        polmonite polmoniti neumonía neumonia neumonías пневмония пневмонии 肺炎 폐렴 zatürre zatürree pnömoni
        longontsteking lunginflammation lungebetændelse lungebetennelse zapaleniepłuc keuhkokuume tüdőgyulladás
        zápalplic πνευμονία viêmphổi radangparu निमोनिया التهابرئوي الالتهابالرئوي pneumonic withpneumonia haspneumonia
        ispneumonia bronchopneumonia pneumonija пневмонія pljučnica upalapluća kopsupõletik ปอดอักเสบ דלקתריאות پنومونی
        pneumoniapositive positivepneumonia mitpneumonie pneumoniepositiv"""
    ),
    _spelled(
        """normal normals normale normales normaux normaal normalny normální normala healthy gesund gesunde unauffällig
        unauffaellig unauff ohnebefund normalbefund ob keinbefund befundlos nofinding nofindings nopneumonia
        nonpneumonia notpneumonia withoutpneumonia pneumonianegative keinepneumonie ohnepneumonie nichtpneumonie
        pneumonienegativ sain sains
        sano sanos sana sani sane saludable saludables sinhallazgos sinalteraciones semachados semalterações saudável
        saudavel gezond zdrowy prawidłowy prawidłowa prawidłowe zdravý frisk friska terve здоров здоровый здоровые норма
        正常 健康 異常なし 未见异常 未見異常 未见明显异常 无异常 무이상 이상없음 정상 sağlıklı saglikli υγιής
        bìnhthường सामान्य طبيعي سليم normál normalno normaalne normaali φυσιολογικό φυσιολογική нормален ปกติ תקין نرمال
        geenafwijkingen bezzmian nellanorma ras uredan control controls kontrolle kontrollen
        kontrollgruppe contrôles témoins controles controlli controllo kontrole 对照 대조군
        sinneumonía sinneumonia senzapolmonite sanspneumonie sempneumonia zonderlongontsteking"""
    ),
)
_TRUE = _spelled(
    """1 true t yes y ja j oui si sí sim да 是 有 はい あり 예 네 있음 유 참 evet tak kyllä ναι positive positiv positif
        positivo
    positiva positivi pos présent present vorhanden presente 阳性 陽性 양성 положительный положительно pozitif
    pozytywny wahr vrai verdadero vero verdadeiro истина waar"""
)
_FALSE = _spelled(
    """0 false f no n nein non não nao nee нет 否 无 無 いいえ なし 아니오 아니요 없음 무 거짓 hayır hayir nie ei όχι
        negative negativ
    negatif négatif negativo negativa negativi neg absent nichtvorhanden ausente assente 阴性 陰性 음성
    отрицательный отрицательно negatywny falsch faux falso ложь onwaar"""
)
# What folders of a class are called besides, such as "0_normal cases".
_NOISE = re.compile(
    r"\d+|(?<![^\W\d_])(?:class|klasse|classe|clase|label|cases?|patients?|images?|imgs?|pics?|pictures?|chest|"
    r"x[ _-]?rays?|cxr|scans?|radiographs?|bilder|dataset|folder|lungs?)(?![^\W\d_])",
    re.IGNORECASE,
)
# What folders of these are called, for short.
_SHORT = _spelled("bacteria bacterial virus viral")
# Between the findings of one cell, as in "Pneumonia|Effusion", "Pneumonia/Viral" and "['pneumonia', 'nodule']". A comma
# in a text may be followed by a doubt.
_BETWEEN = re.compile(r"[|/;]|(?<=['\"])\s*[,;]\s*(?=['\"])")


def class_of_folder(name: str, ingest: IngestParameters) -> str:
    """Return the class that a folder's name means whatever its case, or by another usual word; "" if none.

    A folder called 0 or 1 means none: nothing says which is which. Nor does one with a minus, or a question mark,
    behind its name. A kind of pneumonia is one, but the absence of a kind is not that of others.
    """
    if _DOUBT.search(name):
        return ""
    bare = _NOISE.sub(" ", _CAMEL.sub(" ", name))
    known = _by_name(spelling(name), ingest) or _by_name(spelling(bare), ingest)
    if known:
        return known
    kind = "pneumonia" if spelling(bare) in _SHORT else spelling(_KINDS.sub(" ", bare))
    return _by_name(kind, ingest) if kind in _MEANT[0] else ""


def class_of_word(text: str, ingest: IngestParameters, labels: LabelsParameters, yes: str = "") -> str:
    """Return the class that a label in a table means; "" if none.

    The words that were set come first, then the names of the classes, then 1 and 0, true and false, yes and no, then
    lists of findings.

    Args:
        text: The label.
        ingest: The classes.
        labels: Words that were set.
        yes: The class that "yes" means; without one, the positive class.
    """
    word = spelling(text)
    said = ((labels.words.positive, ingest.positive_class), (labels.words.negative, ingest.negative_class))
    exact = [meant for words, meant in said if text.strip() in words]
    alike = [meant for words, meant in said if word and word in map(spelling, words)]
    if len(exact or alike) == 1:
        return (exact or alike)[0]
    known = class_of_folder(text, ingest) if word else ""
    if known:
        return known
    truth = is_yes(text)
    if truth is not None:
        is_positive = truth is (yes != ingest.negative_class)
        return ingest.positive_class if is_positive else ingest.negative_class
    found = {class_of_folder(part, ingest) for part in _BETWEEN.split(text)} if _BETWEEN.search(text) else set()
    if ingest.positive_class in found and ingest.negative_class not in found:
        return ingest.positive_class
    return ingest.negative_class if found == {ingest.negative_class} else ""


def class_of_column(column: str, ingest: IngestParameters) -> str:
    """Return the class that a column is named after, so that it says yes or no; "" if none."""
    bare = _BRACKETS.sub(lambda match: " " if _are_answers(match[1]) else match[0], column)
    return _by_name(spelling(column), ingest) or _by_name(spelling(_ASKING.sub(" ", _CAMEL.sub(" ", bare))), ingest)


def without_remark(column: str, ingest: IngestParameters) -> str:
    """Return a header without what is in brackets, unless that gives yes and no, or 1 and 0, another meaning."""
    return _BRACKETS.sub(lambda match: match[0] if _contradicts(match[1], ingest) else " ", column)


def _contradicts(text: str, ingest: IngestParameters) -> bool:
    """Tell whether a text such as "0=normal, 1=pneumonia" says something else than is taken for granted."""
    pairs = [re.split("[=:]", part) for part in re.split(r"[/,;|]", text) if re.search("[=:]", part)]
    meant = {True: ingest.positive_class, False: ingest.negative_class, None: ""}
    return any(len(pair) != 2 or meant[is_yes(pair[0])] != class_of_folder(pair[1], ingest) for pair in pairs)


def class_folders(names: Iterable[str], ingest: IngestParameters) -> dict[str, str]:
    """Return the class of each folder whose name means one.

    A folder of the very name goes first: beside NORMAL, a folder "healthy" is another class. If only one of two or more
    folders means a class, by a synonym, none is taken: only a person can tell what the others are. Neither is any of
    several that mean the same class, if none means the other: pneumonia_0 and pneumonia_1. Folders called positive and
    negative are the two classes.
    """
    found = {name: class_of_folder(name, ingest) or _class_of_answer(name, ingest) for name in names}
    plain = {spelling(name): meant for name, meant in found.items() if spelling(name) == spelling(meant)}
    named = set(plain.values())
    meaning = {
        name: meant for name, meant in found.items() if meant and (meant not in named or spelling(name) in plain)
    }
    others = {name for name in found if name} - set(meaning)
    is_half = len(set(meaning.values())) < 2
    return {} if is_half and ((others and not named) or len(meaning) > 1) else meaning


def _class_of_answer(name: str, ingest: IngestParameters) -> str:
    """Return the class of a folder called positive, negative, yes or no; "" if it has another name, or a number."""
    truth = None if _DOUBT.search(name) else is_yes(_NOISE.sub(" ", name))
    return "" if truth is None else ingest.positive_class if truth else ingest.negative_class


def _are_answers(text: str) -> bool:
    """Tell whether a text lists answers, such as "0/1" and "1=yes, 0=no", and means by them what they say."""
    answers = [[is_yes(word) for word in answer.split("=")] for answer in re.split(r"[/,;|]", text)]
    return all(None not in answer and len(set(answer)) == 1 for answer in answers)


def _by_name(word: str, ingest: IngestParameters) -> str:
    """Return the class whose name, or a synonym of it, a word is."""
    classes = (ingest.positive_class, ingest.negative_class)
    spelled = [spelling(name) for name in classes]
    if word in spelled and word:
        return classes[spelled.index(word)]
    for name, own in zip(classes, spelled, strict=True):
        if any(word in meant and own in meant for meant in _MEANT):
            return name
    return ""


def is_yes(text: str) -> bool | None:
    """Tell whether a word means yes or no; None if neither. A number below 0 is neither: CheXpert's -1 is a doubt."""
    word = "1" if text.strip() == "+" else _whole(text) or ("" if re.match(r"\s*[-−–]\s*\d", text) else spelling(text))
    return True if word in _TRUE else False if word in _FALSE else None


def _whole(text: str) -> str:
    """Return a whole number without its decimals, such as 1 for "1.0" and "1,00"; "" for anything else."""
    number = re.fullmatch(r"([01])[.,]0*", text.strip())
    return number[1] if number else ""


@lru_cache(maxsize=4096)
def split_of(name: str) -> str:
    """Return the split that a folder, or a word in a table, is called after; "" if none.

    >>> split_of("Training"), split_of("hold-out"), split_of("NORMAL")
    ('train', 'test', '')
    """
    bare = _NUMBER.sub("", name)
    return _SPLIT_OF.get(spelling(bare)) or _SPLIT_OF.get(spelling(_BESIDE.sub(" ", bare)), "")


def split_in(path: str) -> str:
    """Return the split that a word in a file's name, or in a folder's above it, means; "" if none.

    >>> split_in("train-00000-of-00002.parquet"), split_in("labels_test.csv")
    ('train', 'test')
    """
    parts = (PurePosixPath(path).stem, *reversed(PurePosixPath(path).parts[:-1]))
    words = [word for part in parts for word in part.replace("_", "-").split("-")]
    return next(filter(None, map(split_of, words)), "")
