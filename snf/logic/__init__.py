"""What carries orders to Ganeti, folds in its news, and levels the two."""
