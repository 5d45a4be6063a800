"""The battery: every fault on every way of reading, each on a fresh stage.

Belongs here: which plays there are, and playing them. Does not belong here: the table (`report`).
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors import redaction
from connectors.errors import ConfigError, suggestion
from rapport.conformance import database_faults, file_faults
from rapport.conformance import faults as common
from rapport.conformance.faults import RECORDS, Fault
from rapport.conformance.killing import Helper, helping
from rapport.conformance.laws import EQUAL, KEPT, STATE, look
from rapport.conformance.play import Ended, Play
from rapport.conformance.stage import KINDS, Emulated, Stage, stage_for
from sandbox.server import running

MOST_BRANCHES = 2

FAULTS: Sequence[Fault] = (*common.FAULTS, *file_faults.FAULTS, *database_faults.FAULTS)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one fault did to one stream.

    Attributes:
        why_not: why the fault does not apply; None: it was played.
        broken: (law, how) of the laws that did not hold.
        syncs, requests: how many the play took. `waited_s`: what they would have waited.
    """

    fault: Fault
    stream: str
    why_not: str | None = None
    broken: tuple[tuple[str, str], ...] = ()
    syncs: int = 0
    requests: int = 0
    waited_s: float = 0.0


def examine(
    type_: str,
    settings: Mapping[str, Any],
    *,
    faults: Sequence[Fault] = (),
    streams: Sequence[str] = (),
    on_verdict: Callable[[Verdict], None] = lambda _: None,
) -> list[Verdict]:
    """Play every fault on every stream of a stage for this type.

    Args:
        type_, settings: of the configured source; only fields, objects and the like of the
            settings are used, never an address or a credential.
        faults: only these; default: all that can happen to this kind of source.
        streams: only these; default: all that stand for a way of reading.
        on_verdict: called after each play.

    Raises:
        ConfigError: there is no stage for the type, or no such stream on it.
    """
    make = stage_for(type_)
    probe = make(settings)
    known = probe.streams
    faults = faults or [fault for fault in FAULTS if fault.kind in ("", probe.kind)]
    if unknown := [stream for stream in streams if stream not in known]:
        raise ConfigError(
            f"`{unknown[0]}` is not tested by itself. Streams of type `{type_}` that stand for "
            f"all of them: {', '.join(known)}."
        )
    verdicts = []
    with tempfile.TemporaryDirectory() as folder, serving() as server, helping() as helper:
        for fault in faults:
            for stream in streams or known:
                reason = why_not(probe, fault, stream)
                if reason is None:
                    home = Path(folder) / f"{fault.id}-{stream}"
                    verdict = _played(make(settings), stream, fault, home, server, helper)
                else:
                    verdict = Verdict(fault=fault, stream=stream, why_not=reason)
                verdicts.append(verdict)
                on_verdict(verdict)
    return verdicts


def chosen(names: Sequence[str]) -> Sequence[Fault]:
    """Return the faults of these names.

    Raises:
        ConfigError: there is no such fault.
    """
    known = {fault.id: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"There is no fault `{name}`.{suggestion(name, known)} docs/conformance.md lists "
                "them all."
            )
    return [known[name] for name in names]


def why_not(stage: Stage, fault: Fault, stream: str = "") -> str | None:
    """Return why a fault does not apply, to a stream or at all, if it does not."""
    if fault.kind not in ("", stage.kind):
        return f"it happens to {KINDS[fault.kind].lower()} only"
    for ability in fault.needs:
        for name in (ability, f"{stream}.{ability}"):
            if name in stage.lacks:
                return stage.lacks[name]
    return None


def _played(
    stage: Stage, stream: str, fault: Fault, home: Path, server: serving, helper: Helper
) -> Verdict:
    with redaction.forgetting(), stage.playing(), server.showing(stage):
        stage.create(RECORDS)
        stage.clock.advance(days=1)  # out of reach of every look-back
        play = Play(stage, stream, home, helper)
        with contextlib.suppress(Ended):
            fault.act(play)
            files = len(play.landing.files())
            if isinstance(stage, Emulated):
                stage.heal()
            play.settle()
            look(play)
            _look_at_branches(play, files)
    return Verdict(
        fault=fault,
        stream=stream,
        broken=tuple(dict.fromkeys(play.broken)),
        syncs=len(play.tried),
        requests=sum(tried.requests for tried in play.tried),
        waited_s=sum(tried.waited_s for tried in play.tried),
    )


def _look_at_branches(play: Play, files: int) -> None:
    """Begin from some earlier landing files, as if we had died just behind them."""
    chosen = sorted({1, files // 2, files - 1} - {0})[-MOST_BRANCHES:]
    for count in chosen:
        branch = play.branch(play.home.with_name(f"{play.home.name}-{count}"), count)
        with contextlib.suppress(Ended):
            branch.settle()
            look(branch)
        for law, how in branch.broken:
            if law in (EQUAL, KEPT):
                play.breaks(STATE, f"from landing file {count} of {files}: {how}")


class serving:
    """One server on loopback that shows one stage after the other."""

    def __init__(self) -> None:
        self._stage: Emulated | None = None
        self._stack = contextlib.ExitStack()
        self._url = ""

    def __enter__(self) -> serving:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def showing(self, stage: Stage) -> Iterator[None]:
        """Let a stage that has a server be reached."""
        if isinstance(stage, Emulated):
            if not self._url:
                self._url = self._stack.enter_context(running(self, 0))
                # What it says of connections that we broke on purpose is no news.
                logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            self._stage = stage
            stage.connect_to(self._url)
        yield

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert self._stage is not None
        await self._stage.app(scope, receive, send)
