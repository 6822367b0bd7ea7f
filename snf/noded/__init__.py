"""What runs on each node for its guests, and for the API: by signed requests only."""
