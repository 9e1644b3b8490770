"""python -m hazardgeo: the command line."""

from hazardgeo.cli import main

if __name__ == "__main__":
    main()
