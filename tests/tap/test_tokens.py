"""Tokens, and the secrets of application credentials."""

import secrets

from twisted.trial.unittest import SynchronousTestCase

from snf.tap.cyclades import new_token


class TokenTests(SynchronousTestCase):
    """``new_token``."""

    def test_no_option(self):
        """``openstack token revoke TOKEN`` has to take it for a token."""
        drawn = iter(["-option", "-other", "a-token"])
        self.patch(secrets, "token_urlsafe", lambda size: next(drawn))
        self.assertEqual("a-token", new_token())

    def test_size(self):
        """It has 256 bits, and is another one each time."""
        self.assertEqual([43, 43], [len(new_token()) for _ in range(2)])
        self.assertNotEqual(new_token(), new_token())
