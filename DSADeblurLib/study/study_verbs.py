"""The command line of reader studies: study create, merge, check, close, analyse, plan."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from DSADeblurLib.cli_options import add_choices, chosen, path_of, reader
from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.extras import require, require_for
from DSADeblurLib.options import Number, WholeNumber
from DSADeblurLib.request import DeblurRequest, DeblurSettings, RequestError, SubtractionOptions, UserFacts
from DSADeblurLib.study.definition import read_definition
from DSADeblurLib.study.protocol import KINDS, VIEWS, WINDOWS, Protocol
from DSADeblurLib.study.study_key import default_key_path, read_key

_WHOLE = reader("the number", WholeNumber("", minimum=0))
_MANY = reader("the number", WholeNumber("", minimum=1))
_SHARE = reader("the share", Number("", maximum=1))


def add_study(verbs) -> None:
    """Add the verb to a parser's subcommands."""
    study = verbs.add_parser("study", help="blinded reader studies: create, merge, check, close, analyse, plan")
    steps = study.add_subparsers(title="steps", required=True, metavar="STEP")
    _add_create(steps)
    merge = _add_step(steps, "merge", "bring the answers of copies of a study into it", _merge)
    merge.add_argument(
        "copies", nargs="+", type=path_of, metavar="COPY", help="folders of copies that readers answered"
    )
    check = _add_step(steps, "check", "whether anything changed, and how far readers are", _check)
    _add_key(check)
    check.add_argument("--json", action="store_true", help="print JSON")
    _add_key(_add_step(steps, "close", "seal the answers: no change afterwards goes unseen", _close))
    analyse = _add_step(steps, "analyse", "statistics and report of the answers", _analyse)
    _add_key(analyse)
    analyse.add_argument("--output", required=True, type=path_of, help="new folder for report, CSV and JSON")
    analyse.add_argument(
        "--resamples", type=_MANY, default=2000, help="of patients, for intervals; default %(default)s"
    )
    _add_plan(steps)


def _add_step(steps, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser = steps.add_parser(name, help=text)
    parser.add_argument("folder", type=path_of, metavar="STUDY", help="folder of the study")
    parser.set_defaults(run=run)
    return parser


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", type=path_of, default=None, metavar="FILE", help="by default STUDY-key.json beside it")


def _add_create(steps) -> None:
    create = steps.add_parser("create", help="make a study: arms without identity, definition, key")
    create.add_argument(
        "originals",
        type=path_of,
        metavar="ORIGINALS",
        help="a table (CSV) with the columns file, group, patient and if wanted question, training, mark_frame, "
        "mark_row, mark_column; or a folder with one subfolder a group",
    )
    create.add_argument("--output", required=True, type=path_of, metavar="STUDY", help="new folder, for readers")
    _add_key(create)
    create.add_argument("--title", default="Reader study", help="default: %(default)s")
    create.add_argument("--protocol", default="paired", choices=KINDS, help="default: %(default)s, on five levels")
    create.add_argument(
        "--criterion", dest="criteria", action="append", default=[], metavar="TEXT", help="of a grading; again for more"
    )
    create.add_argument("--views", default=",".join(VIEWS), metavar="LIST", help="of pairs; default: %(default)s")
    create.add_argument("--window", default="linked", choices=WINDOWS, help="grey-scale window; default: %(default)s")
    create.add_argument(
        "--arm",
        dest="arms",
        action="append",
        default=[],
        metavar="TEXT",
        help="'mild: sharpness=0.5' or 'other: model=quality'; again for more; by default one, as the options say",
    )
    create.add_argument("--groups", default=None, metavar="LIST", help="those that are expected, such as AN,AVM")
    create.add_argument("--seed", type=_WHOLE, default=1, help="of repeats, orders and sides; default %(default)s")
    create.add_argument("--repeats", type=_SHARE, default=0.1, help="share shown twice; default %(default)s")
    create.add_argument(
        "--training", type=_WHOLE, default=0, metavar="N", help="patients drawn whose runs do not count"
    )
    create.add_argument(
        "--harm-margin", type=_SHARE, default=0.1, help="share of levels 1-2 to be excluded; default %(default)s"
    )
    create.add_argument("--reviewed", action="store_true", help="a person found no text burned into any frame")
    create.add_argument("--workers", type=_MANY, default=1, metavar="N", help="processes on this computer")
    add_choices(create, DeblurRequest)
    for group in (DeblurSettings, SubtractionOptions, UserFacts):
        add_choices(create.add_argument_group("of all arms"), group)
    create.set_defaults(run=_create)


def _add_plan(steps) -> None:
    plan = steps.add_parser("plan", help="how many cases a group needs for a wished power, by simulation")
    plan.add_argument(
        "--levels",
        default="2,8,35,40,15",
        metavar="LIST",
        help="expected shares of the levels 1 to 5 in percent; default %(default)s",
    )
    plan.add_argument("--readers", type=_MANY, default=2, help="default %(default)s")
    plan.add_argument("--groups", type=_MANY, default=4, help="default %(default)s")
    plan.add_argument(
        "--correlation", type=_SHARE, default=0.5, help="of two readers' judgements of a case; default %(default)s"
    )
    plan.add_argument("--power", type=_SHARE, default=0.8, help="default %(default)s")
    plan.add_argument("--simulations", type=_MANY, default=1000, help="default %(default)s")
    plan.add_argument("--seed", type=_WHOLE, default=1, help="default %(default)s")
    plan.add_argument("--json", action="store_true", help="print JSON")
    plan.set_defaults(run=_plan)


def _key_path(options: argparse.Namespace) -> Path:
    return options.key or default_key_path(options.folder)


def _create(options: argparse.Namespace) -> int:
    require("deidentify", "A study without the patients' identity")
    from DSADeblurLib.restoration.package import load_model
    from DSADeblurLib.study.arms import read_arms
    from DSADeblurLib.study.create import Wish, check_places, create_study
    from DSADeblurLib.study.originals import find_runs
    from DSADeblurLib.xa.derived.deidentified import LOOK

    key_path = options.key or default_key_path(options.output)
    check_places(options.output, key_path)
    protocol = Protocol(
        options.protocol, tuple(options.criteria), tuple(options.views.replace(" ", "").split(",")), options.window
    )
    names = ("title", "seed", "repeats", "training", "harm_margin", "reviewed", "workers")
    wish = Wish(protocol=protocol, **{name: getattr(options, name) for name in names})
    arms = read_arms(options.arms, DeblurRequest.of(**chosen(options)))
    groups = None if options.groups is None else [one.strip() for one in options.groups.split(",")]
    for arm in arms:
        require_for(arm.request, several=options.workers > 1)
        try:
            load_model(arm.request.model)
        except (DSADeblurError, ValueError, OSError) as error:
            raise RequestError(str(error)) from error
    originals = find_runs(options.originals, arms[0].request.facts, groups)
    definition = create_study(
        options.output,
        key_path,
        originals,
        arms,
        wish,
        lambda arm, outcome, done, count: print(
            f"{arm}: {done} of {count}, {Path(outcome.input).name}", file=sys.stderr
        ),
    )
    training = sum(item.training for item in definition.items)
    repeats = sum(item.repeat_of is not None for item in definition.items)
    print(f"{options.output}: {len(definition.items)} items, {training} for training, {repeats} shown again")
    print(f"{key_path}: which image is which; keep it from readers.", LOOK, sep="\n", file=sys.stderr)
    return 0


def _merge(options: argparse.Namespace) -> int:
    from DSADeblurLib.study.merge_copies import merge_copies

    grown = merge_copies(options.folder, options.copies)
    print(f"Answers of {', '.join(grown)} were added." if grown else "There is nothing new in the copies.")
    return 0


def _check(options: argparse.Namespace) -> int:
    from DSADeblurLib.study.seal import check_study

    key = options.key or default_key_path(options.folder)
    found = check_study(options.folder, key if options.key or key.exists() else None)
    if options.json:
        print(json.dumps(vars(found), indent=1))
    else:
        for name, answered in found.answered.items():
            print(f"{name}: {answered} of {found.items}")
        print(f"Closed {found.closed}." if found.closed else "Open.", *found.problems, sep="\n")
    return 1 if found.problems else 0


def _close(options: argparse.Namespace) -> int:
    from DSADeblurLib.study.seal import close_study

    print(f"Closed. Write down the seal: {close_study(options.folder, _key_path(options))}")
    return 0


def _analyse(options: argparse.Namespace) -> int:
    require("study", "An analysis")
    from DSADeblurLib.study.analysis import analyse
    from DSADeblurLib.study.results import save_results

    definition = read_definition(options.folder)
    key = read_key(_key_path(options), definition)
    if options.output.exists():
        raise RequestError(f"{options.output} exists; an analysis gets a new folder.")
    result = analyse(options.folder, definition, key, _key_path(options), options.resamples)
    print(*save_results(result, options.output), sep="\n")
    print(*result.warnings, sep="\n", file=sys.stderr)
    return 0


def _plan(options: argparse.Namespace) -> int:
    from DSADeblurLib.study.sample_size import Expected, plan_cases

    try:
        shares = tuple(float(one) for one in options.levels.split(","))
    except ValueError:
        raise RequestError(f"The levels are five numbers such as 2,8,35,40,15, not {options.levels!r}.") from None
    expected = Expected(shares, options.readers, options.groups, options.correlation)
    table, needed = plan_cases(expected, options.power, options.simulations, options.seed)
    if options.json:
        print(json.dumps({"needed": needed, "power": table}, indent=1))
        return 0
    for row in table:
        power = f"one reader {row['one_reader']:.0%}, every reader {row['every_reader']:.0%}"
        print(f"{row['cases']:4d} cases a group: {power}")
    print(
        f"{needed} cases a group give every reader's test a power of {options.power:.0%}."
        if needed
        else f"Not even {table[-1]['cases']} cases a group are enough."
    )
    return 0
