"""``snf-manage reconcile``: level the database with the clusters now."""

import sys
from typing import Any

import click
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.failure import Failure

from snf.logic.connections import Connections
from snf.logic.reconciler import Reconciler, Summary
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.rapi.client import connect
from snf.rapi.errors import RapiError
from snf.storage import clusters
from snf.storage.database import Database


@click.command()
@click.option(
    "--trust-missing",
    is_flag=True,
    help="Take servers whose instances are missing as deleted, however many they are.",
)
@as_json
@click.pass_obj
def reconcile(session: Session, trust_missing: bool, json: bool) -> None:
    """
    Level the database with what the clusters say is there.

    A cluster that cannot be asked is told of, and the exit code is 1 then; the others
    are levelled all the same.
    """
    found: list[Summary] = []
    unasked: list[RapiError] = []
    failures: list[Failure] = []

    def main(reactor: Any) -> "Deferred[None]":
        level = _level(reactor, session, trust_missing, found, unasked)
        # What is left to react is printed with a traceback.
        return Deferred.fromCoroutine(level).addErrback(failures.append)

    try:
        react(main)
    except SystemExit as ended:
        if ended.code:
            raise
    for failure in failures:
        failure.raiseException()
    show(
        ("cluster", "servers", "changed", "orphans", "missing"),
        [(s.cluster, s.servers, s.changed, s.orphans, s.missing) for s in found],
        json,
    )
    for problem in unasked:
        click.echo(f"snf-manage: {problem}", err=True)
    if unasked:
        sys.exit(1)


async def _level(
    reactor: Any,
    session: Session,
    trust_missing: bool,
    found: list[Summary],
    unasked: list[RapiError],
) -> None:
    settings = session.settings
    database = Database(reactor, settings.database.dsn, session.password, 2)
    database.startService()
    connections = Connections(
        lambda endpoint: connect(reactor, endpoint, settings.ganeti.request_timeout_s)
    )
    reconciler = Reconciler(
        reactor,
        database,
        connections,
        settings.ganeti.instance_prefix,
        settings.reconciler.interval_s,
    )
    try:
        for cluster in await database.run(clusters.listing):
            if cluster.offline:
                continue
            try:
                found.append(await reconciler.level(cluster, trust_missing))
            except RapiError as problem:
                unasked.append(problem)
    finally:
        await connections.close()
        await database.stopService()
