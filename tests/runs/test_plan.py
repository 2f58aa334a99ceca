"""What a request becomes: seeds, methods with options, supernets trained once, run ids that depend on content alone."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchharness import methods
from benchharness.config import protocol
from benchharness.errors import UserError
from benchharness.records import named_apart
from benchharness.runs.plan import Job, MethodRequest, make_plan, parse_methods, parse_seeds

MINE = """
from benchharness import Method

class Mine(Method):
    width = 3
"""


def plan(text: str, seeds: tuple[int, ...] = (0,), dataset: str = "cifar10") -> list[Job]:
    return make_plan(parse_methods(text), seeds, dataset, protocol("cpu"))


def names(text: str) -> list[list[str]]:
    return [[spec.method for spec in job.specs] for job in plan(text)]


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-4", (0, 1, 2, 3, 4)), ("5", (5,)), ("0,3,7", (0, 3, 7)), ("7,0-2, 1", (0, 1, 2, 7)), ("3-3", (3,))],
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "4-0", "1.5", "0-999999999", "²", "0,,1"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="seeds"):
        parse_seeds(text)


@given(st.text(max_size=30))
def test_any_text_is_seeds_or_a_clear_error(text: str) -> None:
    with suppress(UserError):
        assert all(seed >= 0 for seed in parse_seeds(text))


def test_spelling_of_methods() -> None:
    assert parse_methods("darts, snas:tau_max=5:tau_min=1+ostr:metric=accuracy") == [
        MethodRequest("darts", {}, None, {}),
        MethodRequest("snas", {"tau_max": "5", "tau_min": "1"}, "ostr", {"metric": "accuracy"}),
    ]
    assert parse_methods("a+b/mine.py:x=1+strength") == [MethodRequest("a+b/mine.py", {"x": "1"}, "strength", {})]


@pytest.mark.parametrize(
    "text", ["", "darts,", "darts+", "+ostr", "darts:x=1:y", "darts:=1", "darts:x=", "a+b+c", ":x=1"]
)
def test_misspelt_methods_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"write (NAME|key=value)"):
        parse_methods(text)


def test_a_value_without_a_key_is_refused_where_a_method_has_no_main_option() -> None:
    with pytest.raises(UserError, match="x"):
        plan("darts:x")


def test_a_supernet_is_trained_once_however_many_read_it_out() -> None:
    assert names("darts,ostr,darts+prune,snas+ostr,snas") == [
        ["darts", "ostr", "darts+prune"],
        ["snas", "snas+ostr"],
    ]


def test_the_supernets_own_run_is_always_planned() -> None:
    assert names("ostr") == [["darts", "ostr"]]
    (job,) = plan("ostr")
    assert (job.base.trains, job.base.selection) == ("darts", "magnitude")
    assert (job.readouts[0].trains, job.readouts[0].selection) == ("darts", "strength")


def test_seeds_come_one_after_the_other_with_all_their_methods() -> None:
    assert [(job.base.seed, job.base.method) for job in plan("darts,snas", (0, 1))] == [
        (0, "darts"),
        (0, "snas"),
        (1, "darts"),
        (1, "snas"),
    ]


def test_options_go_to_the_method_or_to_its_selection() -> None:
    (job,) = plan("ostr:metric=accuracy")
    assert job.readouts[0].selection_options["metric"] == "accuracy"
    assert job.readouts[0].method == "ostr:metric=accuracy"
    (job,) = plan("snas:tau_max=5:none=no")
    assert job.base.method == "snas:tau_max=5.0"
    assert job.base.train_options["tau_max"] == 5.0
    assert job.base.selection_options["none"] is True
    assert job.readouts[0].selection_options["none"] is False


def test_options_of_a_borrowed_selection() -> None:
    (job,) = plan("snas+ostr:tuning=5")
    assert job.readouts[0].method == "snas+ostr:tuning=5"
    assert job.readouts[0].selection_options["tuning"] == 5


def test_a_default_spelt_out_is_the_same_run() -> None:
    assert plan("snas:tau_max=10") == plan("snas") == plan("snas,snas+magnitude")
    assert plan("ostr:metric=loss,ostr") == plan("ostr")
    assert plan("ostr:tuning=5:metric=accuracy") == plan("ostr:metric=accuracy:tuning=05")


def test_everything_a_run_depends_on_changes_its_id() -> None:
    ids = {spec.run_id for job in plan("darts,ostr,ostr:tuning=1,snas,snas:tau_max=5", (0, 1)) for spec in job.specs}
    assert len(ids) == 10
    assert plan("darts", dataset="cifar100")[0].base.run_id not in ids


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("dart", "'darts'"),
        ("snas+strenght", "'strength'"),
        ("snas:tau_mx=5", "'tau_max'"),
        ("ostr:metrc=loss", "'metric'"),
        ("snas+ostr:metrc=loss", "'metric'"),
        ("ostr:metric=lss", "'loss'"),
    ],
)
def test_what_is_misspelt_gets_the_nearest_right_name(text: str, nearest: str) -> None:
    with pytest.raises(UserError, match=f"did you mean {nearest}"):
        plan(text)


@pytest.mark.parametrize("text", ["snas:tau_max=5:tau_max=6", "snas+ostr:beta=1:beta=2"])
def test_two_values_of_one_option_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"=\d and .*=\d in .* contradict each other"):
        parse_methods(text)


def test_one_value_given_twice_is_that_value() -> None:
    assert parse_methods("snas:tau_max=5:tau_max=5") == parse_methods("snas:tau_max=5")


def test_an_option_that_a_selection_of_ones_own_shares_with_its_method_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\nfrom benchharness import Method, Selection\n\n\n"
        "@dataclass(frozen=True)\nclass Own(Selection):\n    weight: float = 0.5\n\n\n"
        "class Mine(Method):\n    weight = 0.1\n    selection = Own\n"
    )
    with pytest.raises(UserError, match="both have an option 'weight'; give one of them another name"):
        make_plan(parse_methods(str(tmp_path / "mine.py")), (0,), "cifar10", protocol("cpu"))


def test_a_file_below_a_folder_named_after_a_method_and_a_plus_is_a_file(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_home / "snas+old").mkdir()
    (own_home / "snas+old" / "mine.py").write_text("from benchharness import Method\nclass Mine(Method): ...\n")
    monkeypatch.chdir(own_home)
    (job,) = make_plan(parse_methods("snas+old/mine.py"), (0,), "cifar10", protocol("cpu"))
    assert job.base.method == "mine"


def test_with_another_selection_named_the_first_options_are_the_methods() -> None:
    with pytest.raises(UserError, match="unknown option of snas 'metric'"):
        plan("snas:metric=accuracy+ostr")


def test_a_value_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(UserError, match="tau_max='hot' is not a finite number"):
        plan("snas:tau_max=hot")
    with pytest.raises(UserError, match="regulariser"):
        plan("drnas:regulariser=klx")


def test_unknown_data_set() -> None:
    with pytest.raises(UserError, match="did you mean 'cifar100'"):
        plan("darts", dataset="cifar1000")


def test_a_users_file_is_a_method(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    (job,) = plan(f"{path}:width=4+ostr")
    assert [spec.method for spec in job.specs] == ["mine:width=4", "mine:width=4+ostr"]
    assert job.source_path == path
    before = job.base.run_id
    path.write_text(MINE + "    depth = 2\n")
    assert plan(f"{path}:width=4+ostr")[0].base.run_id != before


def two_of_one_name(folder: Path) -> list[Path]:
    paths = [folder / "a" / "mine.py", folder / "b" / "mine.py"]
    for path, tau in zip(paths, ("0.5", "2.0"), strict=True):
        path.parent.mkdir()
        path.write_text(MINE + f"    tau = {tau}\n")
    return paths


@pytest.mark.parametrize("reading", ["", "+strength", "+ostr:metric=accuracy"])
def test_files_of_one_name_are_told_apart_by_their_content(tmp_path: Path, reading: str) -> None:
    first, second = two_of_one_name(tmp_path)
    jobs = plan(f"{first}{reading},{second}{reading},darts")
    assert [job.base.trains for job in jobs] == ["mine", "mine", "darts"]
    assert [job.source_path for job in jobs] == [first, second, None]
    separate_jobs = [*plan(f"{first}{reading}"), *plan(f"{second}{reading}"), *plan("darts")]
    assert jobs == separate_jobs, "what else is planned changes no run's identity"
    assert len({spec.run_id for job in jobs for spec in job.specs}) == sum(len(job.specs) for job in jobs)


def test_one_content_asked_for_twice_is_planned_once(tmp_path: Path) -> None:
    first, second = two_of_one_name(tmp_path)
    second.write_text(first.read_text())
    assert len(plan(f"{first},{second},{first}+strength")) == 1


HELPED = "import helper\n" + MINE
APART: dict[str, tuple[dict[str, str], str, int]] = {
    "one name, two contents": ({"a/mine.py": MINE, "b/mine.py": MINE + "    b = 1\n"}, "a/mine.py,b/mine.py", 2),
    "three of one name": (
        {f"{folder}/mine.py": MINE + f"    tau = {folder!r}\n" for folder in "abc"},
        "a/mine.py,b/mine.py,c/mine.py",
        3,
    ),
    "one content under two names": ({"mine.py": MINE, "other.py": MINE}, "mine.py,other.py", 2),
    "names in capitals": ({"a/mine.py": MINE, "b/Mine.py": MINE}, "a/mine.py,b/Mine.py", 2),
    "names with dots": ({"a/v.1.py": MINE, "b/v.1.py": MINE + "\n"}, "a/v.1.py,b/v.1.py", 2),
    "folders called like options": ({"x.py/mine.py": MINE, "a+b/mine.py": "#" + MINE}, "x.py/mine.py,a+b/mine.py", 2),
    "a line at the end": ({"a/mine.py": MINE, "b/mine.py": MINE + "\n"}, "a/mine.py,b/mine.py", 2),
    "a comment": ({"a/mine.py": MINE, "b/mine.py": MINE + "# later\n"}, "a/mine.py,b/mine.py", 2),
    "ends of lines": ({"a/mine.py": MINE, "b/mine.py": MINE.replace("\n", "\r\n")}, "a/mine.py,b/mine.py", 2),
    "a method and its reading": ({"a/mine.py": MINE, "b/mine.py": MINE + "\n"}, "a/mine.py,b/mine.py+ostr", 2),
    "options": ({"a/mine.py": MINE, "b/mine.py": MINE + "\n"}, "a/mine.py:width=4,b/mine.py:width=4", 2),
    "options of one file": ({"mine.py": MINE}, "mine.py:width=4,mine.py:width=3,mine.py", 2),
    "another helper": (
        {"a/mine.py": HELPED, "a/helper.py": "x = 1\n", "b/mine.py": HELPED, "b/helper.py": "x = 2\n"},
        "a/mine.py,b/mine.py",
        2,
    ),
    "the same helper": (
        {"a/mine.py": HELPED, "a/helper.py": "x = 1\n", "b/mine.py": HELPED, "b/helper.py": "x = 1\n"},
        "a/mine.py,b/mine.py",
        1,
    ),
    "a file that nobody imports": ({"a/mine.py": MINE, "b/mine.py": MINE, "b/more.py": "x"}, "a/mine.py,b/mine.py", 1),
    "one file by several paths": ({"a/mine.py": MINE}, "a/mine.py,./a/mine.py,a/../a/mine.py,~/a/mine.py", 1),
    "links": ({"a/mine.py": MINE, "link.py": "-> a/mine.py", "b": "-> a"}, "a/mine.py,link.py,b/mine.py+strength", 1),
}


@pytest.mark.parametrize("kind", APART)
def test_content_and_name_tell_methods_apart(own_home: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    files, methods, supernets = APART[kind]
    for name, content in files.items():
        (path := own_home / name).parent.mkdir(exist_ok=True)
        if content.startswith("-> "):
            path.symlink_to(own_home / content.removeprefix("-> "))
        else:
            path.write_bytes(content.encode())
    monkeypatch.chdir(own_home)
    jobs = plan(methods)
    assert len(jobs) == supernets
    specs = {spec.run_id: spec for job in jobs for spec in job.specs}
    assert len(set(named_apart(specs.values()))) == len(specs), "whoever reads them sees them apart"
    backwards = plan(",".join(reversed(methods.split(","))))
    assert {job.base.run_id for job in backwards} == {job.base.run_id for job in jobs}
    absolute_methods = ",".join(str(own_home / method.removeprefix("~/")) for method in methods.split(","))
    assert plan(absolute_methods) == jobs


def test_a_users_file_must_not_be_called_like_a_built_in_method(tmp_path: Path) -> None:
    (tmp_path / "darts.py").write_text(MINE)
    with pytest.raises(UserError, match="rename the file"):
        plan(str(tmp_path / "darts.py"))


def test_a_users_method_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE + "    def __init__(self, edges, ops):\n        1 / 0\n")
    with pytest.raises(UserError, match="'mine' cannot be made: ZeroDivisionError"):
        plan(str(tmp_path / "mine.py"))


CHANGED = ("darts-es", "darts2", "drnas-progressive", "enas", "gdas", "proxy", "sdarts-adv", "sdarts-rs")


def test_a_method_that_searches_otherwise_than_it_did_has_other_run_ids() -> None:
    versions = {name: plan(name)[0].base.versions for name in methods.names()}
    assert {name for name, version in versions.items() if version} == set(CHANGED)
    assert all(versions[name] == {"method": 2} for name in CHANGED)
    spec = plan("gdas")[0].base
    assert replace(spec, versions={}).run_id != spec.run_id
    assert "versions" not in plan("darts")[0].base.to_json()


def test_a_method_of_ones_own_has_the_version_of_what_it_is_derived_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from benchharness.methods.gdas import Gdas\n\n\nclass Mine(Gdas):\n    pass\n")
    assert plan(str(file))[0].base.versions == {"method": 2}
    assert "version" not in methods.options(methods.load(file))


def test_images_that_are_moved_otherwise_than_they_were_give_other_run_ids() -> None:
    assert plan("darts", dataset="imagenet16-120")[0].base.versions == {"images": 2}
    assert plan("gdas", dataset="imagenet16-120")[0].base.versions == {"images": 2, "method": 2}


def test_each_method_is_planned_with_the_protocols_settings_for_it() -> None:
    jobs = make_plan(parse_methods("darts,gdas,setn+ostr"), (0,), "cifar10", protocol("nb201"))
    assert [(job.base.trains, job.base.protocol["epochs"], job.base.protocol["clip"]) for job in jobs] == [
        ("darts", 50, 5.0),
        ("gdas", 250, 5.0),
        ("setn", 250, 0.0),
    ]
    with_epochs = make_plan(
        parse_methods("darts,gdas"), (0,), "cifar10", protocol("nb201", {"epochs": 50}), ("epochs",)
    )
    assert [job.base.protocol["epochs"] for job in with_epochs] == [50, 50]


def test_one_protocol_spelt_in_two_ways_is_one_run() -> None:
    preset_plan = make_plan(parse_methods("gdas"), (0,), "cifar10", protocol("nb201"))
    changes = {key: value for key, value in preset_plan[0].base.protocol.items() if key != "name"}
    changed_plan = make_plan(parse_methods("gdas"), (0,), "cifar10", protocol("drnas", changes), changes)
    assert changed_plan == preset_plan
    assert preset_plan[0].base.protocol["name"] == "nb201"


def test_run_ids_of_unchanged_methods_are_what_they_were() -> None:
    jobs = make_plan(parse_methods("ostr,snas,drnas"), (0,), "cifar10", protocol("drnas"))
    assert {spec.method: spec.run_id for job in jobs for spec in job.specs} == {
        "darts": "bc63e91d47bdd232",
        "ostr": "133bbbeab742a7cd",
        "snas": "e7a8a1fafc2f403e",
        "drnas": "9224b4c0416ce6c8",
    }
