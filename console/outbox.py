"""What a delivery waits for, as conditions on its row `o` of the outbox."""

# Its attempt is under way; or the process that made it is gone, until its lease is over.
LEASED = "(o.lease IS NOT NULL AND o.due_at > now())"
# Held back until its alert is enriched, or the time for that is over: sent now it would go out without, and marked.
HELD = "(o.state = 'due' AND o.held AND o.attempts = 0 AND o.due_at > now())"
