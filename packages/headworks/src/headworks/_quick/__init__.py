"""Stand-ins for modules of the standard library that take longer to import than a plan takes."""
