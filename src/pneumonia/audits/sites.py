"""The result at each of several sites, how well the site itself can be told, and what knowing it would give away."""

from typing import Any

import numpy as np
import pandas as pd

from pneumonia.audits.shortcuts import FEATURE_SETS, FOLDS, Basis, cross_validate, held_out_scores
from pneumonia.base.annotations import Model
from pneumonia.base.parameters import EvaluationParameters
from pneumonia.base.text import Labelled
from pneumonia.images.sites import SITE
from pneumonia.metrics.bounds import TAIL, estimate_rate
from pneumonia.metrics.breakdowns import auc_of, auc_row, count_images
from pneumonia.model.lineage import Lineage
from pneumonia.model.predict import feature_model, forward, open_pixels, stored_parts
from pneumonia.pixels.store import PixelStores, pixel_keys

ALL_SITES, NEW_SITE = "all sites", "a new site"
LEAST_SITES = 3  # from two, how much sites differ cannot be told
PROPERTIES = (*FEATURE_SETS[Basis.SHAPE], *FEATURE_SETS[Basis.FILE_SIZE], *FEATURE_SETS[Basis.MODE])
RESULT_COLUMNS = ["site", "predictor", "measure", "value", "low", "high", "n", "n_positive", "n_groups"]
PROBE_COLUMNS = ["site", "label", "seen", "auc", "low", "high", "n", "n_positive", "n_groups"]


class ProbedFrom(Labelled):
    """What the site is told from."""

    FEATURES = "features", "the network's pooled features"
    PROPERTIES = "properties", "size, file size and stored mode"


def audit_sites(
    predictions: pd.DataFrame,
    split_manifest: pd.DataFrame,
    shortcut_features: pd.DataFrame,
    rim_scores: pd.DataFrame,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Measure the network and the shortcuts on the test images of each site, and a rule that knows only the site.

    The rule gives every test image the share of positives among the training images of its site, or among all if the
    site has none. From three sites on, the network's AUC at a new one is predicted: of the logits of the AUCs, the mean
    and Student's 95% prediction interval with the variance between sites of DerSimonian and Laird (Higgins et al., J.
    R. Stat. Soc. A 172, 2009).

    Args:
        predictions: One row per image of validation and test.
        split_manifest: One row per image, with `site` if there are several.
        shortcut_features: The table of `describe_shortcuts`.
        rim_scores: The first table of `score_twins`, which may have no row.
        parameters: `seed`.

    Returns:
        `RESULT_COLUMNS`; no rows for images of one site. A site without test images of both classes has no AUC.
    """
    if SITE not in split_manifest:
        return pd.DataFrame(columns=RESULT_COLUMNS)
    sites = split_manifest.set_index("path")[SITE]
    test = predictions[predictions["split"] == "test"]
    test = test.assign(site=test["path"].map(sites))
    known = shortcut_features[shortcut_features["split"] != "test"]
    unseen = shortcut_features[shortcut_features["path"].isin(test["path"])].drop(columns="split")
    scored = {Basis.NETWORK: test.set_index("path")["probability"]}
    for name in FEATURE_SETS:
        scored[name] = pd.Series(held_out_scores(name, known, unseen, parameters.seed), index=unseen["path"])
    if len(rim_scores):
        scored[Basis.RIM_NETWORK] = rim_scores.set_index("path")["probability"]
    rows = []
    for site, part in test.groupby("site", sort=True):
        rows += _rates(str(site), part)
        rows += [_auc(str(site), name, part, part["path"].map(scores)) for name, scores in scored.items()]
    train = split_manifest[split_manifest["split"] == "train"]
    share = train.groupby(SITE)["target"].mean()
    rows.append(_auc(ALL_SITES, Basis.SITE, test, test["site"].map(share).fillna(train["target"].mean())))
    found = pd.DataFrame(rows, columns=RESULT_COLUMNS)
    network = found[(found["predictor"] == Basis.NETWORK) & (found["measure"] == "auc")].dropna()
    if len(network) >= LEAST_SITES:
        found.loc[len(found)] = {**_predict_new(network), **dict.fromkeys(("n", "n_positive", "n_groups"), 0)}
    return found


def _auc(site: str, name: Basis, rows: pd.DataFrame, scores: pd.Series) -> dict[str, Any]:
    auc = auc_of(rows, scores.to_numpy(dtype=float))
    return {"site": site, "predictor": str(name), "measure": "auc", **auc, **count_images(rows)}


def _rates(site: str, rows: pd.DataFrame) -> list[dict[str, Any]]:
    found = []
    for target, measure in ((1, "sensitivity"), (0, "specificity")):
        part = rows[rows["target"] == target]
        rate = estimate_rate((part["decision"] == target).to_numpy(), part["group"].to_numpy())
        named = {"site": site, "predictor": str(Basis.NETWORK), "measure": measure}
        found.append({**named, **rate, **count_images(part)})
    return found


def _predict_new(network: pd.DataFrame) -> dict[str, Any]:
    """Predict the AUC at a new site from those at the known ones, on the scale of logits."""
    from scipy.special import expit, logit
    from scipy.stats import norm, t

    bounded = network[["value", "low", "high"]].astype(float).clip(1e-6, 1 - 1e-6)
    value = logit(bounded["value"].to_numpy())
    variance = ((logit(bounded["high"]) - logit(bounded["low"])).to_numpy() / (2 * norm.ppf(1 - TAIL))) ** 2
    weight = 1 / variance
    spread = float(np.sum(weight * (value - np.average(value, weights=weight)) ** 2)) - (len(value) - 1)
    between = max(0.0, spread / (weight.sum() - np.sum(weight**2) / weight.sum()))
    weight = 1 / (variance + between)
    mean = float(np.average(value, weights=weight))
    half = float(t.ppf(1 - TAIL, len(value) - 2) * np.sqrt(between + 1 / weight.sum()))
    bounds = {"value": float(expit(mean)), "low": float(expit(mean - half)), "high": float(expit(mean + half))}
    return {"site": NEW_SITE, "predictor": str(Basis.NETWORK), "measure": "auc", **bounds}


def probe_sites(
    pneumonia_model: Model,
    split_manifest: pd.DataFrame,
    pixel_store: PixelStores,
    model_lineage: Lineage,
    shortcut_features: pd.DataFrame,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Tell each site from the others within one class, from what the network computes and from properties of the file.

    An AUC near 1 means that the images of the site look different whatever their class: what also differs between the
    classes of pooled sites may then be the site. Only validation and test images are used, which the network was not
    trained on. Logistic regression, cross-validated in five folds that keep groups together.

    Args:
        pneumonia_model: The trained network.
        split_manifest: One row per image, with `site` if there are several.
        pixel_store: Has their pixels.
        model_lineage: What the model was made from.
        shortcut_features: The table of `describe_shortcuts`.
        parameters: `batch_size` and `seed`.

    Returns:
        `PROBE_COLUMNS`: site (told from all others; of two sites only the first), label (within which class), seen (a
        `ProbedFrom`), the AUC of the site with its interval, n, n_positive (of the site) and n_groups. No rows for
        images of one site, or where a site has fewer than five groups of a class.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if SITE not in split_manifest:
        return pd.DataFrame(columns=PROBE_COLUMNS)
    rows = split_manifest[split_manifest["split"] != "train"].reset_index(drop=True)
    model = feature_model(pneumonia_model)
    parts = stored_parts(open_pixels(pixel_store, model_lineage), pixel_keys(rows))
    features = np.concatenate([forward(model, part, parameters.batch_size)[0] for part in parts])
    properties = shortcut_features.set_index("path").loc[rows["path"], list(PROPERTIES)].to_numpy(dtype=float)
    fit, found = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000)), []
    for label, part in rows.groupby("label", sort=True):
        sites = sorted(set(part[SITE]))
        for site in sites if len(sites) > 2 else sites[:1]:  # of two, the other is told as well
            told = part.assign(target=(part[SITE] == site).astype(int))
            if told.groupby("target")["group"].nunique().reindex([0, 1], fill_value=0).min() < FOLDS:
                continue
            for seen, values in ((ProbedFrom.FEATURES, features), (ProbedFrom.PROPERTIES, properties)):
                scores = cross_validate(fit, values[part.index], told, parameters.seed)
                row = auc_row(seen, "", told, scores)
                found.append({"site": site, "label": label, "seen": str(seen), **row})
    return pd.DataFrame(found, columns=PROBE_COLUMNS)
