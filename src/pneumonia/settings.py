"""Project settings. See the documentation of Kedro for what each one does."""

import sys
import warnings

from pneumonia import hooks
from pneumonia.base.startup import (
    mend_process,
    tell_argument_problem,
    tell_backend_problem,
    tell_encoding_problem,
    tell_temporary_problem,
)
from pneumonia.runs.configuration import PlainConfigLoader
from pneumonia.runs.in_progress import InProgressHook
from pneumonia.runs.sessions import PlainSession, TurnsHook
from pneumonia.runs.tracking import TrackingHook

# Kedro reads the command line only after this file, and could not report a misread argument in one sentence.
mend_process()
if problem := (
    tell_encoding_problem() or tell_argument_problem(sys.argv) or tell_temporary_problem() or tell_backend_problem()
):
    sys.exit(f"Error: {problem}")

# Kedro's own use of OmegaConf, which a user of this project cannot change.
warnings.filterwarnings("ignore", message=r"register_new_resolver\(\) is deprecated")

# Kedro calls the last first: MLflow hears of a run once the others have let it begin, and of its end after them.
HOOKS = (
    TurnsHook(),
    TrackingHook(),
    InProgressHook(),  # after the hook that settles which versions are read
    hooks.ParametersHook(),
    hooks.RunContextHook(),
    hooks.LayoutHook(),
    hooks.TensorFlowHook(),
    hooks.StagesHook(),  # Kedro calls the last one first
    hooks.ScoringLedgerHook(),
    hooks.TrainingStateHook(),
    hooks.UserErrorHook(),
)

# kedro-mlflow, even if it is merely installed, breaks a run with its file store; the project's own hook tracks runs.
# Kedro compares names as the package's metadata spell them: with - in kedro-mlflow 0.13.0, with _ in 2.0.3.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-mlflow", "kedro_mlflow")

CONFIG_LOADER_CLASS = PlainConfigLoader
SESSION_CLASS = PlainSession

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # Without "soft", `--params=a.b=2` drops the other keys of `a` once conf/local has parameters of its own.
    "merge_strategy": {"parameters": "soft"},
}
