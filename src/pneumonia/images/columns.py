"""Which column of a table is which: as the parameters say, or by the names that people give them."""

import re
import unicodedata
from collections.abc import Sequence

from pneumonia.base.errors import UserError
from pneumonia.base.parameters import IngestParameters, LabelsParameters
from pneumonia.base.text import fold, name_some
from pneumonia.images.attributes import PER_YEAR
from pneumonia.images.tables import spelling
from pneumonia.images.words import class_of_column, without_remark

AUTO = "auto"
# Keys that are in a file's name, and those that only a DICOM header has.
NAME_KEYS = ("path", "name")
HEADER_KEYS = ("sop_uid", "accession", "study_uid", "series_uid", "patient")

# The names of columns by what they hold, the likeliest first; as `spelling` gives them.
_KNOWN = {
    "path": """path filepath imagepath imgpath file filename imagefile imagefilename image imagename imageid
        imageindex img imgname imgid imgfile xrayimagename filenames images relativepath fullpath dicompath
        dicomfile dateiname datei dateipfad pfad bild bildname bilddatei bildnr bildnummer bildpfad aufnahme
        fichier nomfichier nomdufichier chemin imagen archivo nombrearchivo nombredelarchivo nombrefichero fichero
        ruta rutaimagen arquivo nomearquivo nomedoarquivo imagem caminho immagine nomefile percorso bestand
        bestandsnaam afbeelding plik nazwapliku obraz файл имяфайла путь изображение снимок 文件 文件名 文件路径
        路径 图像 图片 图像名 图片名 影像 檔名 檔案 ファイル ファイル名 ファイルパス 画像 画像名 파일 파일명
        파일이름 이미지 이미지명 이미지파일 경로 dosya dosyaadı görüntü tiedosto tiedostonimi fájl fájlnév αρχείο
        όνομααρχείου datoteka slika failas ไฟล์ ชื่อไฟล์
        קובץ שםקובץ الملف اسمالملف نامفایل imageurl imgurl dicomid id""",
    "accession": """accession accessionnumber accessionno accessionnr accno accnr acc accnum auftragsnummer
        auftragsnr auftrag untersuchungsnummer untersuchungsnr anforderungsnummer zugangsnummer zugriffsnummer
        leistungsnummer numéroaccession numérodaccession numérodexamen numeroexamen numeroaccession
        numerodeaccession númerodeacceso numerodeacceso numerodiaccesso númerodeacesso onderzoeksnummer
        номердоступа номерисследования 检查号 登记号 検査番号 受付番号 검사번호""",
    "sop_uid": "sopinstanceuid sopuid sopinstance instanceuid imageuid objectuid uid",
    "study_uid": "studyinstanceuid studyuid",
    "series_uid": "seriesinstanceuid seriesuid",
    "patient": """patient patientid patientsid patid pid patientno patientnr patientnumber mrn medicalrecordnumber
        medicalrecordno hospitalnumber hospitalno unitnumber uhid hn historiaclínica historiaclinica
        nohistoriaclínica nodeprontuário npaziente numeropaziente caseid fallnr subject subjectid nip ipp nhc
        prontuário prontuario patientennummer patientennr patientenid patnr pat fallnummer ippatient idpatient
        numeropatient numéropatient paciente idpaciente pacienteid númerodepaciente paziente idpaziente patiëntnummer
        patientnummer пациент номерпациента 病人 病人号 患者 患者编号 患者id 病历号 환자 환자번호
        환자id hasta hastano""",
    "label": """label labels class classname target finding findings diagnosis diagnostic result outcome category
        groundtruth gt y classification annotation klasse befund diagnose ergebnis beurteilung kategorie
        klassifikation étiquette etiquette classe diagnostique résultat etiqueta clase categoría categoria
        diagnóstico diagnostico resultado hallazgo hallazgos rótulo diagnosi esito etichetta diagnoza etykieta метка
        класс диагноз заключение 标签 类别 诊断 诊断结果 结果 标注 標籤 診斷 診断 分類 ラベル 진단 진단명 진단결과
        판독결과 라벨 레이블 분류 etiket tanı teşhis sonuç sınıf dx rozpoznanie diagnoosi diagnózis διάγνωση
        діагноз диагноза dijagnoza diagnozė การวินิจฉัย אבחנה التشخيص تشخیص chẩnđoán निदान
        truelabel gtlabel ytrue diagnosislabel""",
    "group": "group groupid groupe grupo gruppo gruppe группа 组 组别 グループ 그룹",
    "split": """split set subset datasplit dataset datasettype partition phase usage aufteilung teilmenge
        ensemble conjunto выборка 数据集 划分""",
    "age": """age patientage patientsage ageatstudy ageatexam alter patientenalter lebensalter âge edad età idade
        leeftijd wiek возраст 年龄 年齡 年齢 月龄 나이 연령 yaş""",
    "sex": """sex gender patientsex patientssex patientsexdicom patientgender geschlecht sexe sexo sesso genere género
        genero geslacht płeć plec пол 性别 性別 성별 cinsiyet kön køn kjønn""",
    "view": """view viewposition viewpos projection position appa paap frontallateral orientation projektion
        projektionsrichtung strahlengang aufnahmerichtung ansicht incidence proyección proyeccion proiezione projeção
        projectie проекция укладка 体位 投照体位 撮影方向 viewpositiondicom""",
    "modality": "modality modalität modalité modalidad modalidade modalità модальность 模态 モダリティ 모달리티",
    "site": """site hospital institution centre center clinic standort krankenhaus klinik einrichtung hôpital hopital
        établissement etablissement hospitalname sitename siteid centro ospedale ziekenhuis больница 医院 機関 병원
        hastane""",
}  # fmt: skip
_RANKS = {field: {spelling(name): rank for rank, name in enumerate(names.split())} for field, names in _KNOWN.items()}
_WORD = re.compile(r"[^\W_]+")
# What a header says of its cells, as in "sex (m/w)".
_REMARK = re.compile(r"[(\[][^()\[\]]*[)\]]")
# Words between an age and its unit, as in "idade em meses".
_IN = ("in", "en", "em", "w", "в")
# Words before the event at which a patient had an age, as in "age at study".
_AT = frozenset(("at", "bei", "on"))
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# An age and its unit in one word; a unit of one letter may be the end of the word.
_UNITS = "|".join(re.escape(unit) for unit in PER_YEAR if len(unit) > 1)
_GLUED = re.compile(f"({'|'.join(_RANKS['age'])})(?:{'|'.join(_IN)})?({_UNITS})")
_OTHER_FIELDS = ("group", "patient", "split", "age", "sex", "view", "modality", "site")


def find_columns(columns: Sequence[str], labels: LabelsParameters) -> dict[str, str]:
    """Return the columns of a file's key, its group and the facts of its patient, by field; only what there is.

    Raises:
        UserError: If the parameters name a column that is not there.
    """
    found = {
        field: _named(field, name, columns) for field, name in labels.columns.model_dump().items() if name
    }  # fmt: skip
    if "path" not in found and (key := likely_keys(columns, labels)):
        found["path"] = _recognised("path" if key[0] in NAME_KEYS else key[0], columns)
    for field in _OTHER_FIELDS:
        free = [column for column in columns if column not in found.values()]
        name = found.get(field) or _recognised(field, free)
        if name:
            found[field] = name
    return {field: name for field, name in found.items() if name}


def likely_keys(columns: Sequence[str], labels: LabelsParameters) -> list[str]:
    """Return what the table may name its files by, the likeliest first: kinds of key of `labels.key`."""
    if labels.key != AUTO:
        return [labels.key]
    given = labels.columns.path
    if given:
        return [key for key in HEADER_KEYS if spelling(given) in _RANKS[key]] or ["path"]
    return [key for key in ("path", *HEADER_KEYS) if _recognised(key, columns)]


def column_of_key(key: str, columns: Sequence[str], labels: LabelsParameters) -> str:
    """Return the column with the values of a key; "" if there is none."""
    if labels.columns.path:
        return _named("path", labels.columns.path, columns)
    own = _recognised("path" if key in NAME_KEYS else key, columns)
    return own or (_recognised("path", columns) if labels.key == key else "")


def label_columns(columns: Sequence[str], ingest: IngestParameters, labels: LabelsParameters) -> list[str]:
    """Return the columns that may hold the labels, the likeliest first: also those named after a class."""
    if labels.columns.label:
        return [_named("label", labels.columns.label, columns)]
    ranks = _RANKS["label"]
    names = {column: spelling(column) for column in columns}
    names |= {column: spelling(without_remark(column, ingest)) for column in columns if names[column] not in ranks}
    named = sorted((column for column in columns if names[column] in ranks), key=lambda column: ranks[names[column]])
    after = {column: class_of_column(column, ingest) for column in columns if column not in named}
    return named + [
        column for meant in (ingest.positive_class, ingest.negative_class) for column in after if after[column] == meant
    ]


def age_unit(column: str) -> float:
    """Return how many of the unit in which a column counts ages make a year.

    >>> age_unit("Age (years)"), age_unit("Alter in Monaten")
    (1.0, 12.0)
    """
    _, unit = _part_age(column)
    return PER_YEAR[unit] if unit else 1.0


def _recognised(field: str, columns: Sequence[str]) -> str:
    """Return the column with the likeliest name for a field; "" if none has such a name."""
    ranks = _RANKS[field]
    names = {column: spelling(column) for column in columns}
    if field == "age" and ranks.keys().isdisjoint(names.values()):
        names = {column: _part_age(column)[0] for column in columns}
    elif ranks.keys().isdisjoint(names.values()):
        names = {column: spelling(_REMARK.sub(" ", column)) for column in columns}
    return min(
        (column for column in columns if names[column] in ranks),
        key=lambda column: ranks[names[column]],
        default="",
    )


def _part_age(column: str) -> tuple[str, str]:
    """Part the header of ages into name and unit, "" if it has none: "Âge (mois)", "age_weeks".

    >>> _part_age("Idade em meses"), _part_age("age")
    (('idade', 'meses'), ('age', ''))
    """
    words = _WORD.findall(fold(unicodedata.normalize("NFKC", _CAMEL.sub(" ", column))))
    unit = words[-1] if words and words[-1] in PER_YEAR else ""
    words = words[:-1] if unit and len(words) > 1 else words
    words = words[: next((place for place, word in enumerate(words) if word in _AT and place), len(words))]
    name = spelling("".join(words[:-1] if words[-1:] and words[-1] in _IN and len(words) > 1 else words))
    glued = None if unit else _GLUED.fullmatch(name)
    return (glued[1], glued[2]) if glued else (name, unit)


def _named(field: str, name: str, columns: Sequence[str]) -> str:
    """Return the column that the parameters name, whatever its case and signs."""
    fitting = [column for column in columns if column == name] or [
        column for column in columns if spelling(column) == spelling(name)
    ]
    if not fitting:
        raise UserError(
            f"The table of labels has no column {name!r}; it has {name_some(columns)}. Name one of them: "
            f"labels.columns.{field}."
        )
    return fitting[0]
