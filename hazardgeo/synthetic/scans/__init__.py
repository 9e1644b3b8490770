"""The laser scans of the demo valley: flights, what their rays meet, and what comes back."""
