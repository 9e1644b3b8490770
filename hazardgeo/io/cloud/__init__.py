"""Clouds: LAS, LAZ, COPC, PLY, PCD, PTS, PTX, E57 and text."""
