"""The earthquake of the demo valley, what it moved, and what others changed meanwhile."""
