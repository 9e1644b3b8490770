"""The orthomosaics of the demo valley, pixel by pixel."""
