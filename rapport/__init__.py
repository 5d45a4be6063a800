"""The command line, configuration, mapping, build, publishing and the report."""
