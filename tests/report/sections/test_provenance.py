from dataclasses import replace
from pathlib import Path

from benchharness import report
from benchharness.config import for_method, protocol, recorded_settings
from benchharness.report.blocks import Block, Bullets, TableBlock, flat
from benchharness.report.sections.provenance import method, missing, setting, status_sentence
from benchharness.table import Table
from tests.support import report_folder


def text_of(blocks: list[Block]) -> str:
    return " ".join(item for block in flat(blocks) if isinstance(block, Bullets) for item in block.items)


def test_a_finished_folder_says_so(suite: Path) -> None:
    runs, _ = report.gather(suite, None)
    assert status_sentence(runs) == "All 9 runs of this folder are finished."
    assert status_sentence(runs.head(0)) == "This folder holds no runs."


def test_a_folder_whose_runs_saw_different_images_says_so(suite: Path) -> None:
    runs, _ = report.gather(suite, None)
    first = runs["seed"] == 0
    mixed = runs.assign(images_sha256=runs["images_sha256"].where(first, "f" * 64))
    sentence = status_sentence(mixed)
    assert "Runs on cifar10 saw different images: " in sentence
    assert f"{(~first).sum()} on CIFAR-10 (JPEG) (sha256 ffffffffffffffff)" in sentence
    assert sentence.endswith("comparing them compares images too.")


def test_the_same_images_under_two_labels_are_no_mixture(suite: Path) -> None:
    runs, _ = report.gather(suite, None)
    first = runs["seed"] == 0
    labelled = runs.assign(images_label=runs["images_label"].where(first, "CIFAR-10 (another word for it)"))
    assert status_sentence(labelled) == "All 9 runs of this folder are finished."
    both = labelled.assign(images_sha256=labelled["images_sha256"].where(labelled["seed"] != 2, "f" * 64))
    assert f"{(both['seed'] < 2).sum()} on CIFAR-10 (JPEG) (sha256 abababababababab)" in status_sentence(both)


def test_an_unfinished_folder_says_what_is_missing_and_why(tmp_path: Path) -> None:
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0), report_folder.GOOD)
    report_folder.add(tmp_path / "s", report_folder.spec("snas", 0), report_folder.GOOD)
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 1), None)
    report_folder.add(tmp_path / "s", report_folder.spec("snas", 1), None, failure="loss is nan in epoch 3")
    report_folder.add(tmp_path / "s", report_folder.spec("snas", 2), report_folder.GOOD)
    runs, _ = report.gather(tmp_path / "s", None)
    assert status_sentence(runs).startswith("This folder is unfinished: 3 of 5 runs finished, 1 failed and 1 stale.")
    blocks = missing(runs)
    (grid,) = [block for block in flat(blocks) if isinstance(block, TableBlock)]
    assert grid.data["reason"].tolist() == ["", "Diverged: loss is nan in epoch 3"]
    assert "darts lacks 2; paired comparisons use the shared ones" in text_of(blocks)


def test_what_ran_names_protocol_data_seeds_and_read_outs(evidence: report.Evidence) -> None:
    text = text_of(setting(evidence))
    assert "Protocol cpu, changed: epochs=6." in text
    assert "CIFAR-10 (JPEG), split halves: 2500 images train the weights, 2500 the architecture" in text
    assert "Seeds 0-2 of every method." in text
    assert "ostr is the supernet of darts, read out by strength." in text


def test_settings_that_a_protocol_has_for_single_methods_are_named(tmp_path: Path, table: Table) -> None:
    for name in ("darts", "gdas", "setn"):
        settings = for_method(protocol("nb201"), name)
        run = replace(report_folder.spec(name, 0), protocol=recorded_settings(settings))
        report_folder.add(tmp_path / "s", run, report_folder.GOOD)
    (evidence,) = report.gather(tmp_path / "s", table)[1]
    assert evidence.protocol == "nb201", "all of them are of that protocol"
    text = text_of(setting(evidence))
    assert "Protocol nb201, unchanged." in text
    assert "The protocol's own for gdas: epochs=250." in text
    assert "The protocol's own for setn: clip=0.0, epochs=250." in text


def test_other_epochs_than_the_protocols_for_a_method_are_another_protocol(tmp_path: Path, table: Table) -> None:
    run = replace(report_folder.spec("gdas", 0), protocol=recorded_settings(protocol("nb201")))
    report_folder.add(tmp_path / "s", run, report_folder.GOOD)
    (evidence,) = report.gather(tmp_path / "s", table)[1]
    assert evidence.protocol == "", "no published figure may stand beside it"
    assert "changed: epochs=50" in text_of(setting(evidence))


def test_what_holds_for_all_names_table_machine_versions_and_the_rule(evidence: report.Evidence, table: Table) -> None:
    text = text_of(method(evidence.runs, [table]))
    assert "Table toy, version 1, all 15,625 architectures, sha256 cdcdcdcdcdcdcdcd" in text
    assert "after 200 epochs, one seed" in text
    assert "No test figure influenced a choice" in text
    assert "Device cpu: test, 2 cores, no GPU." in text
    assert "Python 3.11, numpy 2.0." in text
    assert "No table was installed" in text_of(method(evidence.runs, [None]))


def test_what_run_ids_leave_out_is_told_where_runs_differ_in_it(evidence: report.Evidence, table: Table) -> None:
    runs = evidence.runs
    machines = [{**machine, "device": "cuda:0", "threads": 1, "compiled": False} for machine in runs["machine"]]
    assert "run ids leave out" not in text_of(method(runs.assign(machine=machines), [table]))
    others = [
        {**machines[0], "threads": 2, "compiled": True, "formulation": "padded"},
        *machines[1:-1],
        {**machines[-1], "device": "cuda:1"},
    ]
    text = text_of(method(runs.assign(machine=others), [table]))
    assert (
        f"cuda with 1 thread ({len(runs) - 1} runs) and cuda with 2 threads and compiled and padded cells (1 run)"
        in text
    )


def test_a_table_that_holds_a_part_says_how_much(evidence: report.Evidence, sample: Table) -> None:
    assert "1,563 of 15,625 architectures" in text_of(method(evidence.runs, [sample, None]))
