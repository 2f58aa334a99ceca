"""The command line: what it prints, what it refuses and how, and its exit codes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchharness import cli
from benchharness.config import PROTOCOLS
from benchharness.runs.suite import Suite
from benchharness.store import Store
from tests.support.tiny import SETTINGS, install_images, jobs

OPTIMUM = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
CIFAR = ["--dataset", "cifar10"]
SET = [*CIFAR, "--set", *(f"{key}={value}" for key, value in SETTINGS.items())]
SUITE = Suite(dataset="cifar10", protocol="cpu", settings=SETTINGS).name


@pytest.fixture
def work(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, random images installed, no table; one thread, as the machine may be shared."""
    monkeypatch.chdir(own_home)
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    monkeypatch.setattr("benchharness.compute.environment.cores", lambda: 1)
    install_images(own_home / "data")
    return own_home


@pytest.fixture
def real_table(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(data_folder))


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence with which a command line is refused; nothing goes before it but which data set was taken."""
    assert cli.main(arguments) == cli.REFUSED
    streams = capsys.readouterr()
    if arguments[0] in ("run", "compare") and "--dataset" not in arguments:
        assert re.fullmatch(r"(data set \w+: .*\n)?", streams.out)
    else:
        assert streams.out == ""
    assert streams.err.count("\n") == 1
    assert "Traceback" not in streams.err
    return streams.err


def test_help_needs_nothing_heavy() -> None:
    code = "import sys; from benchharness.cli import main; main(['--help']); print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(f"  {command} " in output for command in cli.COMMANDS)
    assert not {"torch", "pandas", "numpy", "rich", "joblib"} & set(output.split())


def test_the_first_line_of_a_run_does_not_wait_for_torch(tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from benchharness.cli import main; main(['run'])"
    environment = {"BENCHHARNESS_DATA": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert process.stdout.startswith("data set digits: embedded, taken since the image set 'cifar10'")
    # Whoever asks for torch first fails: our own import, or SciPy, which looks at the modules that are loaded.
    assert "import of torch" in process.stderr or "no attribute 'Tensor'" in process.stderr


@pytest.mark.parametrize("command", [*cli.COMMANDS, "data import", "data list", "data verify"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*command.split(), "--help"]) == cli.DONE
    assert f"benchharness {command.split()[0]}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        ("rnu", "'run'"),
        ("run --methds darts", "'--methods'"),
        ("run --methods dart", "'darts'"),
        ("run --methods darts+strenth", "'strength'"),
        ("run --dataset cifar-11", "'cifar10'"),
        ("run --protocol drans", "'drnas'"),
        ("run --set epoch=3", "'epochs'"),
        ("run --set order=alpha", "'alpha-first'"),
        ("run --device cudda", "'cuda'"),
        ("run --device gpu", "'cuda'"),
        ("run --device GPU:0", "'cuda'"),
        ("report --ot x results", "'--out'"),
        ("data improt x", "'import'"),
    ],
)
def test_what_is_misspelt_is_refused_with_the_nearest_right_name(
    work: Path, line: str, nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = line.split()
    if "--device" in arguments:
        assert cli.main(arguments) == cli.REFUSED
        assert f"did you mean {nearest}" in capsys.readouterr().err
    else:
        assert f"did you mean {nearest}" in refusal(capsys, *arguments)
    assert not (work / "results").exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("run --methods", "expected one argument"),
        ("run --jobs two", "invalid int value: 'two'"),
        ("run --seeds many", "write them as 0-4"),
        ("run --set epochs", "write --set key=value"),
        ("run --methods darts:tau=1+strength", "unknown option 'tau'; darts has no options"),
        ("run --set epochs=few", "epochs='few' is not a whole number"),
        ("run --suite none.toml", "there is no suite file 'none.toml'"),
        ("run --suite ..", "cannot name a folder"),
        ("run darts", "one argument too many"),
        ("run --method darts", "unknown option '--method'"),
        ("run --methods none.py", "there is no method file"),
        ("report", "arguments are required: RESULTS"),
        ("report none", "no results folder 'none'"),
        ("export none --out x.csv", "no results folder 'none'"),
        ("export results --out x.txt", "neither .csv nor .parquet"),
        ("query 0", "benchharness data import"),
        ("query 0 --dataset digits --results none", "no results folder 'none'"),
        ("run --methods darts:tau=5", "unknown option of darts 'tau'; known: none=yes"),
        ("show abcd1234 --results none", "no results folder 'none'"),
        ("table build --dataset digits --sample 0", "sample=0 is out of range"),
        ("data import none", "does not exist"),
    ],
)
def test_a_bad_request_is_one_sentence(
    work: Path, line: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(line.split()) == cli.REFUSED
    message = capsys.readouterr().err
    assert sentence in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    "line",
    [
        "run --methods random --dataset digits --no-training --reports file",
        "run --methods random --dataset digits --no-training --reports file/x",
        "run --methods random --dataset digits --no-training --out file",
        "run --methods random --dataset digits --no-training --out file/x",
        "compare --method random --baselines darts --dataset digits --no-training --out file",
        "merge folder --out file",
        "merge folder --out file/x",
        "report folder --out file/x",
    ],
)
def test_a_file_in_the_place_of_a_folder_is_refused(work: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "file").write_text("kept")
    (work / "folder").mkdir()
    assert "is a file, not a folder" in refusal(capsys, *line.split())
    assert (work / "file").read_text() == "kept"


@pytest.mark.parametrize(
    "line", ["report folder", "report folder --out out", "export folder --out out.csv", "merge folder --out out"]
)
def test_a_folder_without_runs_is_refused(work: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "folder").mkdir()
    assert "'folder' holds no run to" in refusal(capsys, *line.split())
    assert not (work / "out").exists()
    assert not (work / "out.csv").exists()


def test_nothing_asked_prints_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == cli.REFUSED
    assert "COMMAND" in capsys.readouterr().out
    assert cli.main(["--version"]) == cli.DONE
    assert capsys.readouterr().out.startswith("benchharness 0.")


def test_a_dry_run_prints_the_plan_and_does_nothing(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--methods", "ostr,snas", "--seeds", "0-1", *CIFAR, "--dry-run"]) == cli.DONE
    output = capsys.readouterr().out
    assert "results/cifar10-cpu: 6 runs from 4 supernets (6 absent)" in output
    *lines, estimate = [line.split() for line in output.splitlines()[2:]]
    assert estimate[:2] == ["estimated", "time"]
    assert [line[:2] for line in lines] == [
        [method, seed] for seed in ("0", "1") for method in ("darts", "ostr", "snas")
    ]
    assert lines[1][3:] == ["absent", "darts"]
    assert not (work / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--jobs 0", "jobs=0 is out of range"),
        ("--device cuda:99", "device 'cuda:99' is not there"),
        ("--executor dask", "--executor dask and --scheduler"),
        ("--compile perhaps", "unknown compile 'perhaps'"),
        ("--graphs --device cpu", "CUDA"),
    ],
)
def test_a_dry_run_refuses_what_a_run_would(
    work: Path, arguments: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "--dry-run", "--methods", "darts", *CIFAR, *arguments.split()]) == cli.REFUSED
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("methods", ["darts,darts", "darts,snas,darts+magnitude"])
def test_a_request_that_repeats_itself_is_told(work: Path, methods: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--dry-run", "--methods", methods, *CIFAR]) == cli.DONE
    assert "is asked for twice, also as darts; it is run once" in capsys.readouterr().err


def test_run_then_report_and_export_and_the_same_again(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "--methods", "darts,random", "--seeds", "0", "--device", "cpu", *SET]
    assert cli.main(arguments) == cli.DONE
    streams = capsys.readouterr()
    assert f"results/{SUITE}: 2 runs from 2 supernets (2 absent)" in streams.out
    assert re.search(r"^darts seed 0  #\d+  no table  \d+:\d\d$", streams.out, re.MULTILINE)
    assert "starting 1 at a time; runs to make: 2" in streams.out
    assert "benchharness data import" in streams.err
    report = work / "reports" / SUITE / "report.md"
    assert f"report: {report.relative_to(work)}" in streams.out
    first = report.read_bytes()
    assert not [path for name in ("*.lock", "heartbeat", "*.tmp") for path in (work / "results").rglob(name)]

    assert cli.main(["report", f"results/{SUITE}", "--out", "again"]) == cli.DONE
    assert (work / "again" / "report.md").read_bytes() == first

    for name in ("runs.csv", "runs.parquet"):
        assert cli.main(["export", "results", "--out", name]) == cli.DONE
    frame = pd.read_csv("runs.csv")
    assert len(frame) == 2 * 3
    assert set(frame["benchmark_dataset"]) == {"cifar10", "cifar100", "imagenet16-120"}
    assert frame.loc[0, "method"] == "darts"
    assert pd.read_parquet("runs.parquet")["run_id"].tolist() == frame["run_id"].tolist()

    monkeypatch.setattr("benchharness.report.build", lambda results, out, *_: out)
    monkeypatch.setattr("benchharness.search.loop.Search.run_epoch", None)
    assert cli.main(arguments) == cli.DONE
    assert "(2 done)" in capsys.readouterr().out


def test_a_suite_file_with_something_changed(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "mine.toml").write_text('methods = ["darts"]\nseeds = "0-4"\nprotocol = "cpu"\n[settings]\nepochs = 2\n')
    assert cli.main(["run", "--suite", "mine.toml", "--dry-run"]) == cli.DONE
    assert "results/mine: 5 runs" in capsys.readouterr().out
    assert cli.main(["run", "--suite", "mine.toml", "--seeds", "1", "--set", "images=256", "--dry-run"]) == cli.DONE
    assert "results/mine+images=256: 1 runs" in capsys.readouterr().out
    assert cli.main(["run", "--suite", "named", "--out", "elsewhere", "--dry-run"]) == cli.DONE
    assert "elsewhere/named: 24 runs" in capsys.readouterr().out


def test_a_failed_run_is_told_and_is_exit_code_1(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--methods", "darts,random", "--seeds", "0", *SET, "learning_rate=1e30"]
    assert cli.main(arguments) == cli.FAILED
    output = capsys.readouterr().out
    assert "darts seed 0  FAILED  Diverged:" in output
    assert "random seed 0  #" in output
    assert "1 run failed: darts seed 0; the same command tries again" in output


def test_a_run_that_a_users_method_fails_says_where_and_what_to_do(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (work / "mine.py").write_text(
        "from benchharness import Method\nclass Mine(Method):\n    def draw(self, progress):\n        return 1 / 0\n"
    )
    assert cli.main(["run", "--methods", "mine.py", "--seeds", "0", "--jobs", "1", *SET]) == 1
    output = capsys.readouterr().out
    assert "ZeroDivisionError: division by zero (mine.py:4); run `benchharness check mine.py`" in output
    assert cli.main(["check", "mine.py"]) == cli.FAILED
    output = capsys.readouterr().out
    assert "ZeroDivisionError: division by zero (mine.py:4)" in output
    assert output.count("failed") == 1
    assert output.count("\n") == 2, "what builds on a check that failed is not told again"


def test_an_interruption_says_how_to_go_on(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchharness.search.loop.Search.run_epoch", interrupted)
    arguments = ["run", "--methods", "darts", "--seeds", "0", *SET]
    assert cli.main(arguments) == cli.INTERRUPTED
    assert f"this command resumes: benchharness {' '.join(arguments)}" in capsys.readouterr().err
    assert Store(work / "results", SUITE).status(jobs("darts")[0].base) == "stale"
    assert not list((work / "results").rglob("heartbeat"))


def test_an_interruption_of_any_command_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchharness.cli.report.methods", interrupted)
    assert cli.main(["methods"]) == cli.INTERRUPTED
    assert capsys.readouterr().err == "benchharness: interrupted; to try again: benchharness methods\n"


def test_an_error_of_the_system_is_told_without_its_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchharness.cli.report.methods", lambda _: Path("/none/of/these").read_text())
    assert cli.main(["methods"]) == cli.FAILED
    assert capsys.readouterr().err == "benchharness: /none/of/these: No such file or directory\n"


@pytest.mark.parametrize("command", ["methods", "protocols", "data list"])
def test_what_is_listed_can_be_had_as_json(work: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*command.split(), "--json"]) == cli.DONE
    listing = json.loads(capsys.readouterr().out)
    assert listing or command == "data list"
    assert cli.main(command.split()) == cli.DONE
    output = capsys.readouterr().out
    names = listing if isinstance(listing, list) else listing.get("methods", listing)
    assert all((entry if isinstance(entry, str) else entry["name"]) in output for entry in names)


def test_protocols_are_listed_with_their_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["protocols"]) == cli.DONE
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["setting", *PROTOCOLS]
    assert ["channels", *(str(protocol.channels) for protocol in PROTOCOLS.values())] in lines


def test_query_prints_every_figure(real_table: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["query", "6111"]) == cli.DONE
    output = capsys.readouterr().out
    assert OPTIMUM.count("~") == 6
    rows = {tuple(line.split()[:3]): line.split()[3:5] for line in output.splitlines()}
    assert rows["cifar10", "valid", "200"] == ["91.61", "1"]
    assert rows["cifar10", "test", "200"] == ["94.37", "1"]
    arch = output.splitlines()[0]
    assert cli.main(["query", arch, "--json"]) == cli.DONE
    assert json.loads(capsys.readouterr().out)["index"] == 6111


def test_looking_an_architecture_up_imports_no_torch(data_folder: Path) -> None:
    code = "import sys; from benchharness.cli import main; main(['query', '6111']); print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "False"


def test_a_misspelt_architecture(real_table: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'nor_conv_3x3'" in refusal(capsys, "query", OPTIMUM.replace("nor_conv_3x3", "conv_3x3"))
    assert "15625 is no index" in refusal(capsys, "query", "15625")


def test_methods_lists_methods_selections_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["methods"]) == cli.DONE
    output = capsys.readouterr().out
    assert {line.split()[0] for line in output.splitlines() if line} >= {"darts", "snas", "drnas", "ostr", "strength"}
    assert "tau_max=10.0" in output


def test_data_list_and_verify(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "list"]) == cli.DONE
    assert str(work / "data") in capsys.readouterr().out
    assert cli.main(["data", "verify"]) == cli.DONE


def test_data_import(
    own_home: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    assert cli.main(["data", "import", str(data_folder / "nas-bench-201" / "nb201.parquet")]) == cli.DONE
    assert "nas-bench-201" in capsys.readouterr().out
    assert cli.main(["query", "1835"]) == cli.DONE
    assert "54.30" in capsys.readouterr().out
    installed = next((own_home / "data" / "tables").glob("*.npz"))
    installed.write_bytes(installed.read_bytes()[:-10])
    assert cli.main(["data", "verify"]) == cli.FAILED


def test_output_cut_short_by_its_reader_is_no_error() -> None:
    command = f"{sys.executable} -m benchharness methods | head -n 1; echo ${{PIPESTATUS[0]}}"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert process.stdout.splitlines()[-1] == "0"
    assert process.stderr == ""


def test_a_fast_run_is_tiny_and_of_one_seed_unless_more_is_asked_for(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "--fast", "--dry-run"]) == cli.DONE
    output = capsys.readouterr().out
    assert "results/fast: 4 runs from 3 supernets (4 absent)" in output
    assert "are trained afterwards" not in output
    arguments = ["run", "--fast", "--methods", "darts", "--seeds", "0-1", "--suite", "mine", "--set", "epochs=3"]
    assert cli.main([*arguments, "--dry-run", "--epochs-now", "1"]) == cli.DONE
    output = capsys.readouterr().out
    assert "results/mine: 2 runs" in output
    assert "first 1 of 3 epochs" in output
