"""The ground of the demo valley before the earthquake, and the maps of what it is made of."""
