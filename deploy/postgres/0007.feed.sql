-- The order in which events are streamed, such that a reader who comes back for what is new never skips one.
-- The same announcements as for alerts (0004.positions.sql), under a tag of their own.
ALTER TABLE events ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX events_position ON events (position);

-- The last number drawn; 0 when there is none.
CREATE FUNCTION last_event_position() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM events_position_seq;
$$;

-- The lock's key is a tag of ours (4278607, 23 bits) above the 40 bits of the number. Once a transaction is enough.
CREATE FUNCTION announce_event_positions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('alert_intake.events_announced', true), '') = '' THEN
        PERFORM pg_advisory_xact_lock_shared((4278607::bigint << 40) | last_event_position());
        PERFORM set_config('alert_intake.events_announced', 'yes', true);
    END IF;
    PERFORM pg_notify('alert_intake_events', '');
    RETURN NULL;
END;
$$;
CREATE TRIGGER announce_event_positions BEFORE INSERT ON events
    FOR EACH STATEMENT EXECUTE FUNCTION announce_event_positions();

-- Up to this position no event can appear any more. Read it in a statement of its own, before the rows.
CREATE FUNCTION events_horizon() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    assigned   bigint;
    unfinished bigint;
BEGIN
    assigned := last_event_position();
    SELECT min(((classid::bigint << 32) | objid::bigint) & ((1::bigint << 40) - 1)) INTO unfinished
    FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((classid::bigint << 32) | objid::bigint) >> 40 = 4278607;
    RETURN least(assigned, unfinished);
END;
$$;
