"""How the code is laid out: places, sizes, encodings. `lint-imports` checks who may import whom."""

import ast
import statistics

import pytest

# Everything else lives in a package.
AT_THE_TOP = {"__init__", "__main__", "cli", "hooks", "pipeline_registry", "settings"}
MOST_PARAMETERS = 6
MOST_LINES = 40
MOST_LINES_OF_A_FILE = 300


@pytest.fixture(scope="module")
def files(project):
    return {
        path.relative_to(project / "src/pneumonia").as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((project / "src/pneumonia").rglob("*.py"))
    }


def functions(files):
    """Return every function, by file and name."""
    return {
        f"{path}:{node.name}": node
        for path, text in files.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_literal(node)
    }


def is_literal(function):
    """Tell whether a function is one expression, as a list of nodes: a table, which may be long."""
    return function.name == "create_pipeline" and [type(part) for part in function.body[1:]] == [ast.Return]


def lines_of(function):
    """Return the number of lines from `def` to the end, without the docstring."""
    documented = ast.get_docstring(function) is not None
    docstring = function.body[0].end_lineno - function.body[0].lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


def parameters_of(function):
    """Return the number of parameters, without `self` and `cls`."""
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len([argument for argument in named if argument.arg not in ("self", "cls")])


def too_many_parameters(files):
    return {name for name, function in functions(files).items() if parameters_of(function) > MOST_PARAMETERS}


def too_long(files):
    return {name for name, function in functions(files).items() if lines_of(function) > MOST_LINES}


def too_long_files(files):
    return {name for name, text in files.items() if text.count("\n") > MOST_LINES_OF_A_FILE}


def strangers_at_the_top(files):
    return {path for path in files if "/" not in path and path.removesuffix(".py") not in AT_THE_TOP}


def texts_in_some_encoding(files):
    """Return the calls that read or write text in whatever encoding the machine has, by file and line."""
    return {
        f"{path}:{call.lineno}"
        for path, text in files.items()
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call) and is_text(call) and "encoding" not in {word.arg for word in call.keywords}
    }


def is_text(call):
    """Tell whether a call reads or writes text. `open` counts only if it states its mode or is the built-in."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    modes = [part.value for part in [*call.args, *(word.value for word in call.keywords)] if is_mode(part)]
    if name == "open":
        return not any("b" in mode for mode in modes) and bool(modes or isinstance(call.func, ast.Name))
    return name in ("read_text", "write_text") or any(word.arg == "text" for word in call.keywords if name == "run")


def is_mode(part):
    return isinstance(part, ast.Constant) and isinstance(part.value, str) and set(part.value) <= set("rwaxbt+")


def models_whose_code_may_run(files):
    """Return the calls that load a model with Keras without forbidding its code to run, by file and line."""
    return {
        f"{path}:{call.lineno}"
        for path, text in files.items()
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call) and is_loading_by_keras(call) and "safe_mode=True" not in ast.unparse(call)
    }


def is_loading_by_keras(call):
    """Tell whether a call is one of Keras's own. This project's, a bare `load_model`, calls it safely."""
    names = ("load_model", "model_from_json", "deserialize_keras_object")
    return isinstance(call.func, ast.Attribute) and call.func.attr in names


RULES = (
    too_many_parameters,
    too_long,
    too_long_files,
    strangers_at_the_top,
    texts_in_some_encoding,
    models_whose_code_may_run,
)


def test_benchmarks_and_notebooks_load_models_as_safely(project):
    paths = [*project.glob("benchmarks/*.py"), *project.glob("notebooks/*.ipynb")]
    texts = {path.name: path.read_text(encoding="utf-8") for path in paths}

    assert len(texts) > 2
    assert models_whose_code_may_run({name: text for name, text in texts.items() if name.endswith(".py")}) == set()
    assert not [name for name, text in texts.items() if name.endswith(".ipynb") and "models.load_model" in text]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(files, rule):
    assert rule(files) == set()


def test_most_functions_are_short(files):
    lines = sorted(lines_of(function) for function in functions(files).values())

    assert len(lines) > 300
    assert statistics.median(lines) <= 8
    assert lines[int(0.9 * len(lines))] <= 20


@pytest.mark.parametrize(
    ("rule", "path", "code", "named"),
    [
        (too_many_parameters, "a/b.py", "def f(self, a, b, c, *, d, e, f, g):\n pass", "a/b.py:f"),
        (too_long, "a/b.py", 'def f():\n """Two\n lines."""\n' + " pass\n" * 40, "a/b.py:f"),
        (too_long_files, "a/b.py", "\n" * 301, "a/b.py"),
        (strangers_at_the_top, "storage.py", "", "storage.py"),
        (texts_in_some_encoding, "a/b.py", "path.read_text()", "a/b.py:1"),
        (texts_in_some_encoding, "a/b.py", 'open("x")', "a/b.py:1"),
        (texts_in_some_encoding, "a/b.py", 'path.open("w")', "a/b.py:1"),
        (texts_in_some_encoding, "a/b.py", 'subprocess.run(["git"], text=True)', "a/b.py:1"),
        (models_whose_code_may_run, "a/b.py", "keras.models.load_model(path)", "a/b.py:1"),
        (models_whose_code_may_run, "a/b.py", "keras.models.load_model(path, safe_mode=False)", "a/b.py:1"),
    ],
)
def test_a_rule_names_what_breaks_it(rule, path, code, named):
    assert rule({path: code}) == {named}


@pytest.mark.parametrize(
    ("rule", "path", "code"),
    [
        (too_many_parameters, "a/b.py", "def f(self, a, b, c, *, d, e, f):\n pass"),
        (too_long, "a/b.py", 'def f():\n """Two\n lines."""\n' + " pass\n" * 39),
        (too_long_files, "a/b.py", "\n" * 300),
        (strangers_at_the_top, "images/storage.py", ""),
        (texts_in_some_encoding, "a/b.py", 'path.read_text(encoding="utf-8")'),
        (models_whose_code_may_run, "a/b.py", "keras.models.load_model(path, safe_mode=True)\nload_model(path)"),
        (texts_in_some_encoding, "a/b.py", 'path.open("rb")\nImage.open(file)\nstore.open(64, "squeeze")'),
    ],
)
def test_a_rule_lets_pass_what_keeps_it(rule, path, code):
    assert rule({path: code}) == set()
