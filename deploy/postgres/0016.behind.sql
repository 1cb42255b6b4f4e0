-- What waits for an earlier event of its alert stands behind it, not before everything else that is due.

-- A row in which a far smaller rate was put would stop every lease: its next delivery lay beyond the end of time.
UPDATE subscriptions SET rate_limit = 1 / 86400::double precision WHERE rate_limit < 1 / 86400::double precision;
ALTER TABLE subscriptions
    DROP CONSTRAINT subscriptions_rate_limit_check,
    ADD CONSTRAINT subscriptions_rate_limit_check CHECK (rate_limit >= 1 / 86400::double precision);

-- As before (0006, 0015). But what was read over on the way to the items that are leased, since it waits for an earlier
-- item of its alert that is not under way, is made due when that is: it is read over once for each time that the earlier
-- one is postponed, not by every lease. Who ends the earlier one makes the next due again (workers/delivery/record.py).
CREATE OR REPLACE FUNCTION lease_due(
    free integer, own_lease uuid, lease_seconds double precision, usual_timeout double precision,
    usual_concurrency integer, probe_seconds double precision
) RETURNS TABLE (
    outbox_id text, lease text, attempts integer, spared integer, alert_id text, event text, occurred_at timestamptz,
    alert jsonb, subscription_id text, subscription text, url text, sealed bytea, timeout double precision,
    leave_out text[], personal_data boolean, probe boolean
-- Plans that are right for a backlog of any size: index by index, whatever the statistics say.
) LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    moment  timestamptz;
    metered uuid[];
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(hashtext('alert-intake lease'));
    -- Rows that will be written. Who holds one of them delays nobody: that subscription is passed over this time.
    metered := ARRAY(SELECT s.id FROM subscriptions s WHERE s.rate_limit IS NOT NULL OR s.state = 'tripped'
                     ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED);
    moment := clock_timestamp();
    RETURN QUERY
    WITH flying AS MATERIALIZED (
        SELECT o.subscription_id, count(*) AS n FROM outbox o
        WHERE o.state = 'due' AND o.lease IS NOT NULL AND o.due_at > moment GROUP BY o.subscription_id
    ), room AS MATERIALIZED (
        SELECT s.id, s.state = 'tripped' AS probe, coalesce(f.n, 0) AS flying,
               least(
                   CASE WHEN s.state = 'tripped' OR s.failures > 0 THEN 1
                        ELSE least(coalesce(s.concurrency, usual_concurrency), greatest(free / 2, 1)) END
                   - coalesce(f.n, 0),
                   -- A tenth of a second's worth may come at once; a little is added for what times round off.
                   CASE WHEN s.rate_limit IS NOT NULL AND s.state = 'active' THEN floor(0.001 + s.rate_limit * extract(
                       epoch FROM least(moment - s.paced_until, make_interval(secs => greatest(0.1, 1 / s.rate_limit)))
                   )) END
               )::integer AS places
        FROM subscriptions s LEFT JOIN flying f ON f.subscription_id = s.id
        WHERE (s.asked_until IS NULL OR s.asked_until <= moment)
          AND ((s.state = 'active' AND (s.rate_limit IS NULL OR s.id = ANY (metered)))
               OR (s.state = 'tripped' AND s.probe_at <= moment AND s.id = ANY (metered)))
    ), waiting AS MATERIALIZED (
        -- Those that have something due, least under way first, no more of them than there are places. Of each no more
        -- is looked at than about twice its share: what is due to another may have to wait for something earlier.
        SELECT several.id, several.probe, several.flying,
               least(several.places, greatest(1, 2 * free / count(*) OVER ())) AS places
        FROM (
            SELECT * FROM (SELECT * FROM room WHERE room.places > 0 ORDER BY room.flying, random()) r
            -- Not as EXISTS, which may read all that is due at once: one look into the index for each.
            WHERE (SELECT true FROM outbox o
                   WHERE o.subscription_id = r.id AND o.state = 'due' AND o.due_at <= moment LIMIT 1)
               OR r.probe AND (SELECT true FROM outbox o
                               WHERE o.subscription_id = r.id AND o.state = 'due' AND o.attempts > 0 LIMIT 1)
            LIMIT free
        ) several
    ), found AS MATERIALIZED (
        -- The first of each, and how far its index was read for them: to the last one, or to the end of what is due.
        SELECT r.id, r.flying, coalesce(own.ids, '{}') AS ids,
               CASE WHEN own.n = r.places AND own.last <= moment THEN own.last ELSE moment END AS until,
               CASE WHEN own.n = r.places AND own.last <= moment THEN own.last_position
                    ELSE 9223372036854775807 END AS until_position
        FROM waiting r CROSS JOIN LATERAL (
            SELECT count(*) AS n, array_agg(first.id ORDER BY first.due_at, first.position) AS ids,
                   max(first.due_at) AS last,
                   (array_agg(first.position ORDER BY first.due_at DESC, first.position DESC))[1] AS last_position
            FROM (
                SELECT o.id, o.due_at, o.position FROM outbox o
                WHERE o.subscription_id = r.id AND o.state = 'due'
                  -- A probe does not wait for an item's next attempt.
                  AND o.due_at <= CASE WHEN r.probe THEN 'infinity' ELSE moment END
                  AND (o.due_at <= moment OR o.attempts > 0)
                  -- Not as a join, which might read all of the subscription's: one look into the index for each.
                  AND (SELECT earlier.position FROM outbox earlier
                       WHERE earlier.subscription_id = r.id AND earlier.alert_id = o.alert_id
                         AND earlier.state = 'due' AND earlier.position < o.position
                       ORDER BY earlier.position LIMIT 1) IS NULL
                ORDER BY o.due_at, o.position LIMIT r.places
            ) first
        ) own
    ), ready AS MATERIALIZED (
        SELECT o.id, o.turn + f.flying AS turn, row_number() OVER (ORDER BY o.turn + f.flying, random()) AS rank
        FROM found f CROSS JOIN LATERAL unnest(f.ids) WITH ORDINALITY o (id, turn)
    ), passed AS MATERIALIZED (
        SELECT o.id, o.first FROM found f CROSS JOIN LATERAL (
            SELECT o.id, earliest.id AS first FROM outbox o CROSS JOIN LATERAL (
                SELECT e.id, e.due_at, e.lease FROM outbox e
                WHERE e.subscription_id = f.id AND e.alert_id = o.alert_id AND e.state = 'due'
                  AND e.position < o.position
                ORDER BY e.position LIMIT 1
            ) earliest
            WHERE o.subscription_id = f.id AND o.state = 'due'
              AND (o.due_at, o.position) <= (f.until, f.until_position) AND o.id <> ALL (f.ids)
              AND earliest.due_at > o.due_at AND (earliest.lease IS NULL OR earliest.due_at <= moment)
            ORDER BY o.due_at, o.position
        ) o
        LIMIT 5000  -- the rest by the next lease
    ), behind AS MATERIALIZED (
        -- Under a lock of the earlier one, so that nobody ends it and misses what is put behind it meanwhile.
        SELECT own.id, earliest.due_at FROM passed p CROSS JOIN LATERAL (
            SELECT e.due_at FROM outbox e
            WHERE e.id = p.first AND e.state = 'due' AND (e.lease IS NULL OR e.due_at <= moment)
            FOR SHARE SKIP LOCKED
        ) earliest CROSS JOIN LATERAL (
            SELECT o.id FROM outbox o
            WHERE o.id = p.id AND o.state = 'due' AND o.due_at <= moment FOR NO KEY UPDATE SKIP LOCKED
        ) own
    ), put_behind AS (
        -- What held one of them back for an enricher is over: it is due.
        UPDATE outbox o SET due_at = b.due_at, lease = NULL, held = false FROM behind b WHERE o.id = b.id
    ), candidates AS MATERIALIZED (
        -- A subscription's first delivery may take the last place; its second leaves half of the places free.
        SELECT id FROM ready WHERE rank <= CASE WHEN turn = 1 THEN free ELSE free / 2 END
    ), due AS MATERIALIZED (
        SELECT o.id FROM outbox o
        WHERE o.id = ANY (ARRAY(SELECT c.id FROM candidates c)) AND o.state = 'due'
          AND (o.lease IS NULL OR o.due_at <= moment)
        FOR UPDATE SKIP LOCKED
    ), leased AS (
        UPDATE outbox o
        SET due_at = moment + make_interval(secs => greatest(lease_seconds, coalesce(s.timeout, usual_timeout) + 15)),
            lease = own_lease, attempts = o.attempts + 1
        FROM due, subscriptions s WHERE o.id = due.id AND s.id = o.subscription_id
        RETURNING o.id, o.position, o.attempts, o.spared, o.alert_id, o.event_id, o.subscription_id
    ), paced AS (
        UPDATE subscriptions s
        SET paced_until = CASE WHEN s.rate_limit IS NULL THEN s.paced_until ELSE
                greatest(s.paced_until, moment - make_interval(secs => greatest(0.1, 1 / s.rate_limit)))
                + make_interval(secs => l.n / s.rate_limit) END,
            probe_at = CASE WHEN s.state = 'tripped' THEN moment + make_interval(secs => probe_seconds) END
        FROM (SELECT leased.subscription_id, count(*) AS n FROM leased GROUP BY leased.subscription_id) l
        WHERE s.id = l.subscription_id AND s.id = ANY (metered)
    )
    SELECT l.id::text, own_lease::text, l.attempts, l.spared, l.alert_id::text, e.type, e.created_at, e.alert,
           s.id::text, s.name, s.url, s.sealed, s.timeout, s.leave_out, s.personal_data, s.state = 'tripped'
    FROM leased l JOIN events e ON e.id = l.event_id JOIN subscriptions s ON s.id = l.subscription_id
    ORDER BY l.position;
END;
$$;
