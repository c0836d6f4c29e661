"""The command line: info, deblur, deidentify, agree, report, study, wheels, simulate, train, evaluate."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from DSADeblurLib import __version__
from DSADeblurLib.cli_options import add_choices, add_request, address, chosen, path_of, reader
from DSADeblurLib.errors import DSADeblurError, XAReadError, printable_line
from DSADeblurLib.extras import require, require_for
from DSADeblurLib.options import Number, WholeNumber
from DSADeblurLib.request import (
    CONTROLS,
    DEFAULT_MODEL,
    DEVICES,
    DeblurRequest,
    DeblurSettings,
    RequestError,
    UserFacts,
)
from DSADeblurLib.study.study_verbs import add_study
from DSADeblurLib.termination import terminated_like_interrupted
from DSADeblurLib.wheels import PLATFORMS, REQUIREMENTS, SLICERS_PYTHON, THIS_SYSTEM, download_command, gather_wheels

FINE, SOME_FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
EXIT_CODES = (
    "exit codes: 0 all done; 1 some runs failed; 2 wrong use, found before the first run (missing path, unknown model "
    "or recipe, value out of range, absent device or scheduler); 130 interrupted, by Ctrl+C or SIGTERM"
)
_WHOLE = reader("the number", WholeNumber("", minimum=1))
_SIDE = reader("the size", WholeNumber("", minimum=64, maximum=8192, unit="pixels"))
_NUMBER = reader("the number", Number(""))
_POSITIVE = reader("the number", Number("", above=True))
NOTICE = "Research use only: not for diagnosis or treatment."


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        See EXIT_CODES.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal has no letters for is printed nevertheless
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        with terminated_like_interrupted():
            _check_output(getattr(options, "output", None))
            return options.run(options)
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return INTERRUPTED
    except (DSADeblurError, ValueError, OSError) as error:
        print(f"dsadeblur: {printable_line(error)}", file=sys.stderr)
        return WRONG_USE if isinstance(error, RequestError) else SOME_FAILED


def _check_output(folder: Path | None) -> None:
    """Raise RequestError where no folder can be made, because a file has its name, or that of one above it."""
    for path in () if folder is None else (folder, *folder.parents):
        if os.path.lexists(path):
            if not path.is_dir():
                raise RequestError(f"{path} is no folder; choose another --output.")
            return


@contextlib.contextmanager
def _at_the_door() -> Iterator[None]:
    """What goes wrong inside the block, before any work, is wrong use."""
    try:
        yield
    except (DSADeblurError, ValueError, OSError) as error:
        raise RequestError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dsadeblur",
        description=f"Focal-spot deblurring of digital subtraction angiography. {NOTICE}",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"dsadeblur {__version__}")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    info = verbs.add_parser("info", help="what the header of a run says, and the blur that follows from it")
    info.add_argument(
        "inputs",
        nargs="+",
        type=path_of,
        metavar="RUN",
        help="its file, or where it has several of one frame each, these or their folder",
    )
    add_choices(info, UserFacts)
    info.add_argument("--json", action="store_true", help="print JSON instead of a table")
    info.set_defaults(run=_info)

    deblur = verbs.add_parser("deblur", help="deblur runs and write derived XA objects", epilog=EXIT_CODES)
    deblur.add_argument(
        "inputs",
        nargs="+",
        type=path_of,
        metavar="INPUT",
        help="files or folders, searched recursively; one-frame files of one series are one run",
    )
    deblur.add_argument("--output", required=True, type=path_of, help="folder for the results and manifest.json")
    add_request(deblur)
    many = deblur.add_argument_group("many runs")
    many.add_argument("--resume", action="store_true", help="do only what the manifest does not list as done")
    many.add_argument("--verify", action="store_true", help="read inputs done before to the end: are they the same?")
    many.add_argument("--one-by-one", action="store_true", help="each one-frame file is a run of its own")
    many.add_argument("--strict", action="store_true", help="files that are no X-ray angiography are failures")
    where = many.add_mutually_exclusive_group()
    where.add_argument("--workers", default=1, type=_WHOLE, metavar="N", help="processes on this computer")
    where.add_argument(
        "--scheduler", default=None, type=address, metavar="ADDRESS", help="of a Dask cluster that does the work"
    )
    many.add_argument("--overwrite", action="store_true", help="replace results of other inputs of the same name")
    deblur.add_argument("--json", action="store_true", help="print what became of each input as JSON, not as a table")
    deblur.set_defaults(run=_deblur)

    deidentify = verbs.add_parser("deidentify", help="copy results without what tells who the patient is")
    deidentify.add_argument(
        "inputs",
        nargs="+",
        type=path_of,
        metavar="INPUT",
        help="results of deblur, each a file, or output folders of it",
    )
    deidentify.add_argument("--output", required=True, type=path_of, help="folder for the copies, to be handed on")
    deidentify.add_argument(
        "--mapping",
        type=path_of,
        metavar="FOLDER",
        help="for the file that tells which copy is whose; by default the one that the folder for the copies lies in",
    )
    deidentify.add_argument(
        "--dates",
        default="removed",
        choices=("removed", "shifted"),
        help="shifted keeps the times between acquisitions of a patient, moved by years that nobody knows",
    )
    deidentify.add_argument(
        "--reviewed", action="store_true", help="a person has looked at every frame: no text is burned into the pixels"
    )
    deidentify.set_defaults(run=_deidentify)

    agree = verbs.add_parser("agree", help="how far two columns of measurements agree")
    agree.add_argument("table", type=path_of, metavar="TABLE", help="a table (CSV) with a line of headings")
    agree.add_argument("--first", default="original", metavar="COLUMN", help="default: %(default)s")
    agree.add_argument("--second", default="deblurred", metavar="COLUMN", help="default: %(default)s")
    agree.add_argument("--by", default=None, metavar="COLUMN", help="whose values part the table, such as the method")
    agree.add_argument("--plot", type=path_of, default=None, metavar="FILE", help="draw it, as .png or .pdf")
    agree.add_argument("--json", action="store_true", help="print JSON instead of a table")
    agree.set_defaults(run=_agree)

    report = verbs.add_parser("report", help="measurements of the panel as a DICOM structured report")
    report.add_argument("table", type=path_of, metavar="TABLE", help="the table (CSV) that the panel exports")
    report.add_argument("--original", required=True, type=path_of, metavar="FILE", help="the run that was measured")
    report.add_argument("--derived", default=None, type=path_of, metavar="FILE", help="the object that was made of it")
    report.add_argument("--output", required=True, type=path_of, metavar="FILE", help="of the report; must not exist")
    report.set_defaults(run=_report)

    add_study(verbs)

    wheels = verbs.add_parser("wheels", help="gather what the panel installs on a computer without a network")
    wheels.add_argument("--output", required=True, type=path_of, help="folder for the wheels")
    wheels.add_argument("--engine", default="openvino", choices=REQUIREMENTS, help="default: %(default)s")
    wheels.add_argument("--system", default=THIS_SYSTEM, choices=PLATFORMS, help="default: %(default)s, as here")
    wheels.add_argument("--python", default=SLICERS_PYTHON, metavar="VERSION", help="default: %(default)s, Slicer's")
    wheels.set_defaults(run=_wheels)

    simulate = verbs.add_parser("simulate", help="simulate a run with a large focal spot, and its truth")
    simulate.add_argument("--output", required=True, type=path_of, help="folder for the run, its truth and its facts")
    simulate.add_argument("--seed", type=reader("seed", WholeNumber("", minimum=0)), default=None)
    simulate.add_argument("--frames", type=_WHOLE, default=None)
    simulate.add_argument("--size", type=_SIDE, default=None, help="rows and columns")
    spots = dict(UserFacts.options())["focal_spot_mm"]
    simulate.add_argument(
        "--focal-spot", dest="nominal_spot_mm", type=reader("focal_spot", spots), default=None, help="nominal, in mm"
    )
    simulate.add_argument("--quanta", type=_POSITIVE, default=None, help="mean absorbed quanta a pixel and frame")
    simulate.add_argument("--without-truth", action="store_true", help="write the run and its facts only")
    simulate.set_defaults(run=_simulate)

    train = verbs.add_parser("train", help="train a network on simulated pairs")
    train.add_argument(
        "--recipe",
        default="compact",
        help=(
            "compact, quality, sequence, paper, paper-small or quick; large or large-quick, from scenes made meanwhile"
        ),
    )
    train.add_argument("--output", required=True, type=path_of, help="folder for checkpoint, log and model package")
    train.add_argument("--pool", type=path_of, default=None, help="folder of simulated regions; by default OUTPUT/pool")
    train.add_argument(
        "--volumes", action="store_true", help="real anatomy too, from the folder that DSADEBLUR_ANATOMY names"
    )
    train.add_argument(
        "--workers", type=_WHOLE, default=None, help="processes that render: by default 1, for large all cores but one"
    )
    train.add_argument("--start-from", default=None, metavar="MODEL", help="begin with the weights of this model")
    train.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    train.add_argument(
        "--minutes",
        type=_NUMBER,
        default=None,
        help="learn until so long after the call began",
    )
    train.add_argument("--threads", type=_WHOLE, default=None, help="processor threads for the network")
    train.add_argument("--device", default="auto", choices=DEVICES)
    train.set_defaults(run=_train)

    evaluate = verbs.add_parser("evaluate", help="compare models with classical methods on held-out simulated frames")
    evaluate.add_argument("--model", dest="models", action="append", help="may be given several times; default compact")
    evaluate.add_argument("--set", dest="split", default="test", choices=("validation", "test"))
    evaluate.add_argument("--frames", type=_WHOLE, default=None, help="scenes in each condition; default 24")
    evaluate.add_argument("--size", type=_SIDE, default=None, help="rows and columns; default 512")
    evaluate.add_argument("--workers", type=_WHOLE, default=None, help="processes, one thread each; default 2")
    evaluate.add_argument(
        "--quick", action="store_true", help="a few small frames where nothing else is said, to see that it works"
    )
    evaluate.add_argument("--output", type=path_of, default=Path("out/evaluate"), help="for JSON, CSV and pictures")
    evaluate.add_argument("--real", type=path_of, default=None, metavar="FOLDER", help="draw real frames too")
    add_choices(evaluate, DeblurSettings, only=CONTROLS)
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of tables")
    evaluate.add_argument("--write-card", action="store_true", help="write the result into the models' cards")
    evaluate.set_defaults(run=_evaluate)

    return parser


def _info(options: argparse.Namespace) -> int:
    from DSADeblurLib.report import print_info
    from DSADeblurLib.xa import check_derived, find_inputs, may_be_dicom, read_files, runs_of

    files = find_inputs(options.inputs)
    runs = runs_of(filter(may_be_dicom, files) if any(path.is_dir() for path in options.inputs) else files)
    if len(runs) != 1:
        found = f"These are the files of {len(runs)} runs; name those of one." if runs else "There is no DICOM file."
        raise RequestError(found)
    with read_files(runs[0], UserFacts(**chosen(options))) as run:
        print_info(run, as_json=options.json)
        check_derived(run, range(1, run.number_of_frames + 1))
    return FINE


def _deblur(options: argparse.Namespace) -> int:
    from DSADeblurLib.batch import Batch, deblur_files
    from DSADeblurLib.report import BatchProgress, print_outcomes
    from DSADeblurLib.restoration.device_choice import choose_device, choose_precision
    from DSADeblurLib.restoration.installed import problem_of
    from DSADeblurLib.restoration.package import load_model

    request = DeblurRequest.of(**chosen(options))
    require_for(request, several=options.workers > 1 or options.scheduler is not None)
    names = ("resume", "workers", "scheduler", "overwrite", "verify", "one_by_one")
    batch = Batch(**{name: getattr(options, name) for name in names})
    with _at_the_door():
        model = load_model(request.model)
        if batch.scheduler is None:  # other computers have other devices
            device = choose_device(request.restoration.device)
            choose_precision(request.restoration.precision, device.value)
    if request.restoration.engine == "auto" and (problem := problem_of("torch")):
        print(f"OpenVINO is used, because {problem}.", file=sys.stderr)
    with BatchProgress() as progress:
        outcomes = deblur_files(
            options.inputs,
            options.output,
            model,
            request,
            batch,
            found=progress.found,
            starting=progress.start,
            finished=progress.finish,
            noticed=progress.notice,
        )
    left_out = [*progress.left_out, *(outcome.input for outcome in outcomes if outcome.skipped)]
    if not outcomes and not left_out:
        raise RequestError("There is no file among the inputs.")
    if options.json:
        # As the manifest, which lists what earlier calls did too.
        entries = [vars(outcome) for outcome in outcomes]
        print(json.dumps({"runs": entries, "waiting": 0, "left_out": len(left_out)}, indent=1))
    else:
        print_outcomes(outcomes, left_out, NOTICE)
    # Files of other kinds in a folder are no failure, unless there was nothing else.
    failed = any(outcome.error for outcome in outcomes) or not any(outcome.succeeded for outcome in outcomes)
    return SOME_FAILED if failed or (options.strict and left_out) else FINE


def _deidentify(options: argparse.Namespace) -> int:
    require("deidentify", "Dropping the patient's identity")
    from DSADeblurLib.deidentify import MappingFile, find_originals
    from DSADeblurLib.xa.derived.deidentified import LOOK, Deidentifier

    failed = False
    with contextlib.ExitStack() as stack:
        with _at_the_door():
            originals = find_originals(options.inputs, options.output)
            options.output.mkdir(parents=True, exist_ok=True)
            mapping = MappingFile(options.mapping or options.output.resolve().parent, options.output)
        stack.enter_context(mapping)
        print(f"Which copy is whose stands in {mapping.path}: keep it to yourself.", file=sys.stderr)
        deidentifier = Deidentifier(reviewed=options.reviewed, dates=options.dates)
        for path, reason in originals.items():
            try:
                if reason:
                    raise XAReadError(f"{path.name}: {reason}")
                copy = deidentifier.write(path, options.output)
            except DSADeblurError as error:
                failed = True
                print(error, file=sys.stderr)
                continue
            try:
                mapping.add(copy.mapping)
            except OSError:
                copy.path.unlink()  # nobody could tell whose it is
                raise
            print(copy.path)
            print(*copy.notes, sep="\n", end="\n" * bool(copy.notes), file=sys.stderr)
    print(LOOK, file=sys.stderr)
    return SOME_FAILED if failed else FINE


def _agree(options: argparse.Namespace) -> int:
    from DSADeblurLib.agree import draw_agreement, print_agreement, read_pairs

    with _at_the_door():
        pairs = read_pairs(options.table, options.first, options.second, options.by)
    print_agreement(pairs, options.first, options.second, options.json)
    if options.plot is not None:
        draw_agreement(options.plot, pairs, options.first, options.second)
    return FINE


def _report(options: argparse.Namespace) -> int:
    from DSADeblurLib.structured_report import write_report

    with _at_the_door():
        count = write_report(options.table, options.original, options.derived, options.output)
    print(f"{options.output}: {count} measurements")
    return FINE


def _wheels(options: argparse.Namespace) -> int:
    command = download_command(options.output, options.engine, options.system, options.python)
    options.output.mkdir(parents=True, exist_ok=True)
    gather_wheels(command)
    print(*sorted(options.output.glob("*.whl")), sep="\n")
    return FINE


def _simulate(options: argparse.Namespace) -> int:
    from DSADeblurLib.lab.simulation.runs import SimulationOptions, simulate_run, write_run

    names = ("seed", "frames", "size", "nominal_spot_mm", "quanta")
    wanted = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    with _at_the_door():
        simulation = SimulationOptions(**wanted)
    run = simulate_run(simulation)
    for path in write_run(run, options.output, with_truth=not options.without_truth):
        print(path)
    return FINE


def _train(options: argparse.Namespace) -> int:
    began = time.monotonic()
    require("torch", "A training")
    import torch

    from DSADeblurLib.lab.training.online import train_online
    from DSADeblurLib.lab.training.packaging import package_model
    from DSADeblurLib.lab.training.recipes import RECIPES, OnlineRecipe
    from DSADeblurLib.lab.training.trainer import train
    from DSADeblurLib.restoration.device_choice import choose_device
    from DSADeblurLib.restoration.package import load_model

    if options.recipe not in RECIPES:
        raise RequestError(f"Unknown recipe '{options.recipe}'; use one of {', '.join(RECIPES)}.")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    recipe = RECIPES[options.recipe]
    if options.volumes:
        recipe = replace(recipe, pool=replace(recipe.pool, volumes=True))
    if recipe.pool.volumes:
        require("train", "Real anatomy (--volumes)", "nibabel")
    if "ssim" in recipe.loss:
        require("train", f"The recipe {recipe.name}", "pytorch_msssim")
    with _at_the_door():
        device, reason = choose_device(options.device)
        start = None if options.start_from is None else load_model(options.start_from)
    print(reason, file=sys.stderr)
    how = {
        "resume": options.resume,
        "start": None if start is None else start.network,
        "device": device,
        "minutes": options.minutes,
        "began": began,
    }
    if isinstance(recipe, OnlineRecipe):
        if options.pool is not None:
            raise RequestError(f"The recipe {recipe.name} makes its scenes while it trains; leave out --pool.")
        network, summary = train_online(recipe, options.output, workers=options.workers, **how)
    else:
        workers = options.workers or 1
        network, summary = train(recipe, options.output, pool=options.pool, workers=workers, **how)
    if summary["stopped_early"]:
        print(f"Stopped early, {summary['stopped_early']}; --resume goes on.", file=sys.stderr)
    # Of the processes that torchrun starts only the first writes.
    if os.environ.get("RANK", "0") == "0":
        if start is not None:
            summary |= {"started_from": options.start_from, "started_from_sha256": start.sha256}
        card = package_model(options.output / "model", network, recipe, summary)
        print(json.dumps({**summary, "model": str(card.folder)}))
    return INTERRUPTED if summary["interrupted"] else FINE


def _evaluate(options: argparse.Namespace) -> int:
    require("lab", "An evaluation")
    require("torch", "An evaluation")
    from DSADeblurLib.lab.evaluation.evaluate import evaluate
    from DSADeblurLib.lab.evaluation.extent import Plan
    from DSADeblurLib.lab.evaluation.plots import save_pictures
    from DSADeblurLib.lab.evaluation.printed_tables import print_tables
    from DSADeblurLib.lab.evaluation.real import check_real_output, save_real
    from DSADeblurLib.lab.training.packaging import write_metrics
    from DSADeblurLib.restoration.card import find_model
    from DSADeblurLib.xa import find_inputs

    models = options.models or [DEFAULT_MODEL]
    with _at_the_door():
        for model in models:
            find_model(model)
        if options.real is not None:
            find_inputs([options.real])
            check_real_output(options.output)  # before the work, not after it
        options.output.mkdir(parents=True, exist_ok=True)
    given = {name: getattr(options, name) for name in ("frames", "size", "workers")}
    plan = Plan.quick(options.split) if options.quick else Plan(options.split)
    plan = replace(plan, **{name: value for name, value in given.items() if value is not None}, **chosen(options))
    result = evaluate(models, plan)
    written = [*result.save(options.output), *save_pictures(result, models, options.output)]
    if options.real is not None:
        written.append(save_real(options.real, models, options.output))
    if options.json:
        print(json.dumps(result.as_dict(), indent=1, allow_nan=False))
    else:
        print_tables(result)
        print(*written, sep="\n")
    if options.write_card:
        for folder, model in zip(models, result.models, strict=True):
            write_metrics(folder, result.for_card(model["name"]))
    return FINE


if __name__ == "__main__":
    raise SystemExit(main())
