"""``/userdata``: what Synnefo keeps for users beside their servers."""
