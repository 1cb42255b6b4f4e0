"""The configuration file: its tables, the files and plug-ins that they name."""
