"""Where people of the demo valley live, go and could stay, and what grows and stands there."""
