"""History: where readings are kept, the spool they wait in, and the journal of alarms."""
