"""Random schedules of changes, faults, kills and syncs end in the truth; many more of them are
run by `python -m benchmarks.reliability`."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from benchmarks.machines import MACHINES
from connectors import redaction


@pytest.mark.parametrize("name", MACHINES)
def test_whatever_happens_in_whatever_order_the_source_s_truth_is_held(name):
    secrets = redaction._patterns
    run_state_machine_as_test(
        MACHINES[name],
        settings=settings(
            max_examples=2,
            stateful_step_count=5,
            derandomize=True,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert redaction._patterns is secrets  # else a thousand schedules look for those of each
