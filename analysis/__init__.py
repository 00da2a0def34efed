"""From one results.h5 to tables, figures and a report: `python -m analysis.report FILE`."""
