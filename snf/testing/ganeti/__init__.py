"""A simulated Ganeti cluster behind its real remote API; jobs take time by a clock.

It passes the same contract (``snf.testing.rapi_contract``) as a real cluster does.
"""

from snf.testing.ganeti.cluster import FakeGaneti
from snf.testing.ganeti.queue import Durations
from snf.testing.ganeti.web import Fault, Faults

__all__ = ["Durations", "FakeGaneti", "Fault", "Faults"]
