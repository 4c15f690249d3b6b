"""What people call the folders of train, val and test."""

import re
from functools import lru_cache
from pathlib import PurePosixPath

from pneumonia.images.tables import spelling

SPLITS = ("train", "val", "test")
# The published split of an image whose source has no train, val and test folders.
UNSPLIT = "none"

_CALLED = {
    "train": """train training trn trainset trainingset trainingdata traindata trainimages trainingimages tr
        trainingsdaten entrenamiento entraînement entrainement treino treinamento addestramento обучение 训练 训练集
        訓練 学習 학습 훈련""",
    "val": """val valid validation validate validating dev development devset valset validset validationset
        validationdata valdata valimages validationimages tuning tune validierung validierungsdaten validación
        validacion validação validazione валидация 验证 验证集 検証 검증""",
    "test": """test testing tests tst testset testingset testdata testimages testingimages holdout heldout holdoutset
        testdaten prueba teste тест 测试 测试集 テスト 테스트 시험""",
}  # fmt: skip
# Before the word, as in 01_train.
_NUMBER = re.compile(r"^\s*\d+[\s_.-]+")
_SPLIT_OF = {spelling(word): split for split, words in _CALLED.items() for word in words.split()}


@lru_cache(maxsize=4096)
def split_of(name: str) -> str:
    """Return the split that a folder, or a word in a table, is called after; "" if none.

    >>> split_of("Training"), split_of("hold-out"), split_of("NORMAL")
    ('train', 'test', '')
    """
    return _SPLIT_OF.get(spelling(_NUMBER.sub("", name)), "")


def split_in(path: str) -> str:
    """Return the split that a word in a file's name, or in a folder's above it, means; "" if none.

    >>> split_in("train-00000-of-00002.parquet"), split_in("labels_test.csv")
    ('train', 'test')
    """
    parts = (PurePosixPath(path).stem, *reversed(PurePosixPath(path).parts[:-1]))
    words = [word for part in parts for word in part.replace("_", "-").split("-")]
    return next(filter(None, map(split_of, words)), "")
