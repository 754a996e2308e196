"""The words of the suite: readings, metrics, assets, alarms, and their form on the wire."""
