-- The order in which alerts are listed, such that a reader who comes back for what is new never skips one.
--
-- A number drawn from a sequence is not enough: of two transactions the later number may be committed first, and a reader
-- who has seen it goes past the earlier one. So every inserting transaction first announces, by an advisory lock that ends
-- with it, the last number drawn before its own; a reader goes no further than the lowest number announced. No transaction
-- ids are kept, which a restored dump would set back, and nobody waits for anybody.
ALTER TABLE alerts ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX alerts_position ON alerts (position);

-- The last number drawn; 0 when there is none.
CREATE FUNCTION last_position() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM alerts_position_seq;
$$;

-- The lock's key is a tag of ours (4278606, 23 bits) above the 40 bits of the number. Once a transaction is enough.
CREATE FUNCTION announce_alerts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('alert_intake.announced', true), '') = '' THEN
        PERFORM pg_advisory_xact_lock_shared((4278606::bigint << 40) | last_position());
        PERFORM set_config('alert_intake.announced', 'yes', true);
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER announce_alerts BEFORE INSERT ON alerts FOR EACH STATEMENT EXECUTE FUNCTION announce_alerts();

-- Up to this position nothing can appear any more. Read it in a statement of its own, before the rows: a number drawn
-- before `assigned` is read belongs to a transaction that has announced itself, or is over and visible to the next statement.
CREATE FUNCTION alerts_horizon() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    assigned   bigint;
    unfinished bigint;
BEGIN
    assigned := last_position();
    SELECT min(((classid::bigint << 32) | objid::bigint) & ((1::bigint << 40) - 1)) INTO unfinished
    FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((classid::bigint << 32) | objid::bigint) >> 40 = 4278606;
    RETURN least(assigned, unfinished);
END;
$$;
