"""The command behind ``./cloud``."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from attrs import evolve

from snf.allinone import checks, client
from snf.allinone import cloud as whole
from snf.allinone import demo as demonstration
from snf.allinone import images as pictures
from snf.allinone.cloud import Cloud
from snf.allinone.credentials import PEOPLE, clouds, exports, password_of
from snf.allinone.failure import Failure
from snf.allinone.layout import (
    MOST_NODES,
    Instance,
    Layout,
    check_nodes,
    choose,
    octet_is_free,
    port_is_free,
)
from snf.allinone.process import clean_environment
from snf.allinone.progress import Progress

STATE = Path("/var/lib/cyclades-allinone")


def _state(default: Path | None) -> Callable[..., Callable]:
    return click.option(
        "--state",
        type=click.Path(path_type=Path),
        default=default,
        show_default=True,
        help="Directory that holds everything of this cloud.",
    )


_port = click.option("--port", type=click.IntRange(1, 65535), help="Of the API.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cloud() -> None:
    """A whole cloud on this one machine."""


@cloud.command()
@_state(STATE)
@_port
@click.option(
    "--nodes",
    type=click.IntRange(1, MOST_NODES),
    help="Of Ganeti, in a new cloud.  [default: 1]",
)
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="[NAME=]FILE|URL",
    help="A cloud image to have as well; may be given several times.",
)
def up(
    state: Path, port: int | None, nodes: int | None, images: tuple[str, ...]
) -> None:
    """Make it, or start what of it does not run."""
    whole.check_machine("up")
    more = tuple(pictures.given(text) for text in images)
    layout = Layout(state.resolve())
    whole.check_state(layout)
    progress = Progress()
    layout.create()
    with _alone(layout):
        instance = _instance(layout, port, nodes)
        Cloud(layout, instance, progress, images=more).up()
    client.link(layout / "bin")
    progress.say("cloud", "ready")
    given = "" if state == STATE else f" --state {state}"
    _introduce(layout, instance, given, f"sudo ./cloud down{given}")


@cloud.command()
@_state(None)
@click.option("--purge", is_flag=True, help="Delete its state as well.")
def down(state: Path | None, purge: bool) -> None:
    """Stop it."""
    layout = _known(state)
    instance = layout.load()
    if instance is None:
        if purge:
            layout.discard()
        return
    if os.getuid() != 0 and not instance.demo:
        raise Failure("root is needed: sudo ./cloud down")
    with _alone(layout):
        parts = _parts(layout, instance)
        parts.down()
        if purge:
            parts.purge()


@cloud.command()
@_state(None)
def status(state: Path | None) -> None:
    """Show whether each part runs; exit code 3 when one does not."""
    layout = _known(state)
    instance = _made(layout)
    if os.getuid() != 0 and not instance.demo:
        raise Failure("root is needed to look into the cluster: sudo ./cloud status")
    parts = _parts(layout, instance).status()
    for part in parts:
        shown = f"running  {part.pid:>8}" if part.pid else "stopped         -"
        print(f"{part.name:<20} {shown}  {part.address}".rstrip())
    if any(part.pid is None for part in parts):
        sys.exit(3)


@cloud.command()
@_state(None)
@click.argument("who", type=click.Choice(sorted(PEOPLE)), default="user")
@click.option("--clouds", "as_yaml", is_flag=True, help="Print a clouds.yaml instead.")
def env(state: Path | None, who: str, as_yaml: bool) -> None:
    """Print what a shell needs: source <(./cloud env)."""
    layout = _known(state)
    port = _made(layout).api_port
    person = PEOPLE[who]
    password = password_of(layout, person)
    if as_yaml:
        print(clouds(port, person, password, "RegionOne"), end="")
        return
    print(exports(port, person, password, "RegionOne"), end="")
    print(client.search_path(layout / "bin"), end="")


@cloud.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@_state(None)
@click.option("--node", type=click.IntRange(1), help="Its number; else the master.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def ganeti(state: Path | None, node: int | None, command: tuple[str, ...]) -> None:
    """Run a command of Ganeti's on a node."""
    layout = _known(state)
    instance = _made(layout)
    if instance.demo:
        raise Failure("the demo's Ganeti is a simulation: it has no commands")
    if os.getuid() != 0:
        raise Failure("root is needed: sudo ./cloud ganeti")
    cluster = Cloud(layout, instance, Progress()).ganeti
    if node is not None and node > instance.node_count:
        raise Failure(f"there is no node {node}: the last one is {instance.node_count}")
    machine = cluster.master if node is None else cluster.machines[node - 1]
    entered = machine.namespace.command(*command)
    terminal = {"TERM": os.environ["TERM"]} if "TERM" in os.environ else {}
    os.execvpe(entered[0], entered, clean_environment(**terminal))


@cloud.command(name="demo")
@_state(demonstration.default_state())
@_port
@click.option("--down", "stop", is_flag=True, help="Stop it.")
@click.option("--purge", is_flag=True, help="With --down: delete its state as well.")
@click.pass_context
def demo(
    context: click.Context, state: Path, port: int | None, stop: bool, purge: bool
) -> None:
    """The same over a simulated Ganeti: needs no root."""
    if stop:
        context.invoke(down, state=state, purge=purge)
        return
    layout = Layout(state.resolve())
    progress = Progress()
    layout.create()
    with _alone(layout):
        instance = evolve(_instance(layout, port), demo=True)
        layout.save(instance)
        demonstration.Demo(layout, instance, progress).up()
    client.link(layout / "bin")
    progress.say("demo", "ready")
    given = "" if state == demonstration.default_state() else f" --state {state}"
    _introduce(layout, instance, given, f"./cloud demo --down{given}")


@cloud.command()
@click.argument("names", nargs=-1)
def test(names: tuple[str, ...]) -> None:
    """Run every test, or those of these names, with the real parts."""
    count = checks.run(names, Progress())
    print(count, flush=True)
    sys.exit(1 if count.failed else 0)


@cloud.command()
@click.option("--state", type=click.Path(path_type=Path), required=True)
@click.argument("action", type=click.Choice(["up", "down"]))
def services(state: Path, action: str) -> None:
    """Only PostgreSQL and RabbitMQ, for running single tests by hand."""
    layout = Layout(state.resolve())
    progress = Progress()
    layout.create()
    with _alone(layout):
        if action == "down":
            # With the ports that it has: others may use them by now.
            known = layout.load()
            if known is not None:
                Cloud(layout, known, progress).down()
            return
        parts = Cloud(layout, _instance(layout, None), progress, durable=False)
        parts.up_services()
    for name, value in whole.test_environment(parts).items():
        print(f"export {name}='{value}'")


def _known(state: Path | None) -> Layout:
    """Return the state directory that is meant; the demo's where there is no other."""
    if state is not None:
        return Layout(state.resolve())
    places = [Layout(STATE), Layout(demonstration.default_state())]
    return next((place for place in places if place.instance_file.exists()), places[0])


def _made(layout: Layout) -> Instance:
    """
    Return the choices.

    :raises Failure: Nothing was ever made there.
    """
    instance = layout.load()
    if instance is None:
        raise Failure("this cloud has never been up: sudo ./cloud up, or ./cloud demo")
    return instance


def _parts(layout: Layout, instance: Instance) -> Cloud | demonstration.Demo:
    if instance.demo:
        return demonstration.Demo(layout, instance, Progress())
    return Cloud(layout, instance, Progress())


def _instance(layout: Layout, port: int | None, nodes: int | None = None) -> Instance:
    """Return the choices, made now if this is the first time, and keep them."""
    known = layout.load()
    if known is None:
        instance = choose(layout.state, port, port_is_free, octet_is_free)
        instance = evolve(instance, node_count=nodes or 1)
    else:
        check_nodes(known, nodes)
        instance = whole.ports_for(layout, known, port)
    layout.save(instance)
    return instance


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Let nobody else start or stop this cloud meanwhile."""
    with (layout / "run" / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure("another ./cloud is at work on it: wait for it") from None
        yield


def _introduce(layout: Layout, instance: Instance, options: str, stop: str) -> None:
    person = PEOPLE["user"]
    print(
        f"API       http://127.0.0.1:{instance.api_port}\n"
        f"user      {person.name}, project {person.project}\n"
        f"password  {password_of(layout, person)}\n"
        f"clients   source <(./cloud env{options}); openstack server list\n"
        f"stop      {stop}"
    )


def main() -> None:
    """Run it; a failure is one line."""
    os.umask(0o022)
    try:
        cloud(prog_name="./cloud")
    except Failure as failure:
        print(f"cloud: {failure}", file=sys.stderr)
        sys.exit(1)
    except OSError as failure:
        # A full or read-only disk, a directory of somebody else's.
        place = f": {failure.filename}" if failure.filename else ""
        print(f"cloud: {failure.strerror or failure}{place}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
