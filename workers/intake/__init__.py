"""From the journal to the database: consume, validate, dedupe, enrich, link, store, settle."""
