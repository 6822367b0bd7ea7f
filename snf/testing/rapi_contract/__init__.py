"""What comes of requests to a Ganeti cluster: tests for simulated and for real ones."""

from snf.testing.rapi_contract.instances import instance_tests
from snf.testing.rapi_contract.jobs import job_tests
from snf.testing.rapi_contract.moves import move_tests
from snf.testing.rapi_contract.nics import nic_tests
from snf.testing.rapi_contract.rebuilds import rebuild_tests
from snf.testing.rapi_contract.subject import Subject

__all__ = [
    "Subject",
    "instance_tests",
    "job_tests",
    "move_tests",
    "nic_tests",
    "rebuild_tests",
]
