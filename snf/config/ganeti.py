"""Ganeti, and what is done with it."""

from attrs import frozen

from snf.config.checks import YEAR_S, at_least


@frozen
class Ganeti:
    """``[ganeti]``: what is common to all clusters."""

    instance_prefix: str = "snf"
    shutdown_timeout_s: int = 120
    request_timeout_s: float = 40.0

    def check(self) -> None:
        if not self.instance_prefix.isalnum() or not self.instance_prefix.isascii():
            raise ValueError("instance_prefix: letters and digits only")
        at_least("shutdown_timeout_s", self.shutdown_timeout_s, 1)
        at_least("request_timeout_s", self.request_timeout_s, 1)


@frozen
class Submitter:
    """``[submitter]``: how orders go to Ganeti."""

    poll_s: float = 5.0
    per_cluster: int = 8
    attempts: int = 10
    settle_s: float = 2.0

    def check(self) -> None:
        at_least("poll_s", self.poll_s, 0.1)
        at_least("per_cluster", self.per_cluster, 1)
        at_least("attempts", self.attempts, 1)
        at_least("settle_s", self.settle_s, 0)


@frozen
class Reconciler:
    """``[reconciler]``: how often the database is compared with the clusters.

    :ivar resize_confirm_window_s: After how long a resize is confirmed that nobody has
        confirmed; 0 is never.
    """

    interval_s: float = 60.0
    resize_confirm_window_s: int = 0

    def check(self) -> None:
        at_least("interval_s", self.interval_s, 1)
        at_least("resize_confirm_window_s", self.resize_confirm_window_s, 0)
        if self.resize_confirm_window_s > YEAR_S:
            raise ValueError(
                f"resize_confirm_window_s: must be at most {YEAR_S}, a year"
            )


@frozen
class Retention:
    """``[retention]``: how long is kept what nobody works with any more."""

    days: int = 90

    def check(self) -> None:
        at_least("days", self.days, 1)
        if self.days > _LONGEST_DAYS:
            raise ValueError(f"days: must be at most {_LONGEST_DAYS}")


# A hundred years: all that calendars can go back.
_LONGEST_DAYS = 36_500
