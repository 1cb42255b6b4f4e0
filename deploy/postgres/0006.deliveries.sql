-- Subscriptions that say what they want and how fast, that are tripped when they keep failing, and a fair lease.

ALTER TABLE subscriptions
    -- What a subscription wants of the alerts that its events are about (schemas.downstream.filters).
    ADD COLUMN filters       jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN format        text NOT NULL DEFAULT 'reseller',
    ADD COLUMN leave_out     text[] NOT NULL DEFAULT '{}',
    ADD COLUMN personal_data boolean NOT NULL DEFAULT false,
    -- Deliveries a second, deliveries at once, seconds for one; null: no limit, and the two settings of [forwarding].
    ADD COLUMN rate_limit    double precision CHECK (rate_limit > 0),
    ADD COLUMN concurrency   integer CHECK (concurrency > 0),
    ADD COLUMN timeout       double precision CHECK (timeout > 0),
    -- The deliveries leased so far use up the rate until this moment.
    ADD COLUMN paced_until   timestamptz NOT NULL DEFAULT 'epoch',
    -- Failures since the last success, and since when. A tripped subscription is probed from `probe_at` on.
    ADD COLUMN failures      integer NOT NULL DEFAULT 0,
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN probe_at      timestamptz,
    DROP CONSTRAINT subscriptions_state_check,
    ADD CONSTRAINT subscriptions_state_check CHECK (state IN ('active', 'paused', 'tripped'));

-- What happened to a subscription. It outlives the subscription.
CREATE TABLE subscription_log (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT now(),
    subscription_id uuid NOT NULL,
    subscription    text NOT NULL,
    what            text NOT NULL,
    why             text NOT NULL DEFAULT ''
);
CREATE INDEX subscription_log_subscription ON subscription_log (subscription_id, id);

ALTER TABLE attempts ADD COLUMN answer text;

-- Attempts that do not count against the schedule: probes, and those before a retry by hand.
ALTER TABLE outbox ADD COLUMN spared integer NOT NULL DEFAULT 0;

-- Each subscription's due items by themselves, so that no other's backlog stands before them.
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (subscription_id, due_at, position) WHERE state = 'due';
CREATE INDEX outbox_leased ON outbox (subscription_id) WHERE state = 'due' AND lease IS NOT NULL;
CREATE INDEX outbox_given_up ON outbox (subscription_id, id) WHERE state = 'given_up';
CREATE INDEX outbox_subscription ON outbox (subscription_id, id);
-- Every item is updated twice in a short life: clear away what that leaves before an index scan has to pass it.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000,
                        autovacuum_vacuum_cost_delay = 0);

-- Lease due items to one sender, which has `free` places.
--
-- Of each subscription as many as it has room for: fewer than its concurrency when places are scarce (at most half of
-- the free ones, so that however many receivers hang, there is a place for the next), one while it is failing, and one
-- in each probe interval while it is tripped. Between subscriptions the one with the fewest deliveries in flight comes
-- first. Of one alert and subscription only the earliest due item; while it is leased it is still due.
--
-- Leasing is done by one sender at a time, so that what it counts is exact; it takes about a millisecond. The second
-- statement sees what the last sender committed. A lease need not survive a crash: the item is then due again.
CREATE FUNCTION lease_due(
    free integer, own_lease uuid, lease_seconds double precision, usual_timeout double precision,
    usual_concurrency integer, probe_seconds double precision
) RETURNS TABLE (
    outbox_id text, lease text, attempts integer, spared integer, alert_id text, event text, occurred_at timestamptz,
    alert jsonb, subscription_id text, subscription text, url text, sealed bytea, timeout double precision,
    leave_out text[], personal_data boolean, probe boolean
-- Plans that are right for a backlog of any size: index by index, whatever the statistics say.
) LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
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
        WHERE (s.state = 'active' AND (s.rate_limit IS NULL OR s.id = ANY (metered)))
           OR (s.state = 'tripped' AND s.probe_at <= moment AND s.id = ANY (metered))
    ), waiting AS MATERIALIZED (
        -- So many subscriptions have something due; of each no more is looked at than about twice its share.
        SELECT r.id, r.probe, r.flying, least(r.places, greatest(1, 2 * free / count(*) OVER ())) AS places
        FROM room r
        WHERE r.places > 0 AND EXISTS (
            SELECT FROM outbox o
            WHERE o.subscription_id = r.id AND o.state = 'due'
              AND o.due_at <= CASE WHEN r.probe THEN 'infinity' ELSE moment END)
    ), ready AS MATERIALIZED (
        SELECT o.id, o.turn + r.flying AS turn, row_number() OVER (ORDER BY o.turn + r.flying, random()) AS rank
        FROM waiting r CROSS JOIN LATERAL (
            SELECT first.id, row_number() OVER (ORDER BY first.due_at, first.position) AS turn
            FROM (
                SELECT o.id, o.due_at, o.position FROM outbox o
                WHERE o.subscription_id = r.id AND o.state = 'due'
                  -- A probe does not wait for an item's next attempt.
                  AND o.due_at <= CASE WHEN r.probe THEN 'infinity' ELSE moment END
                  AND (o.due_at <= moment OR o.attempts > 0)
                  AND NOT EXISTS (
                      SELECT FROM outbox earlier
                      WHERE earlier.subscription_id = r.id AND earlier.alert_id = o.alert_id
                        AND earlier.state = 'due' AND earlier.position < o.position)
                ORDER BY o.due_at, o.position LIMIT r.places
            ) first
        ) o
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

-- Seconds until something may be leased that cannot be now, if nobody does anything: null when there is nothing.
-- What is due already waits for a place or for an earlier item, and who ends one of these looks again at once.
CREATE FUNCTION seconds_until_due() RETURNS double precision LANGUAGE sql VOLATILE AS $$
    SELECT extract(epoch FROM min(CASE WHEN s.state = 'tripped' THEN s.probe_at ELSE least(ahead.due_at, paced.due_at) END)
                   - now())::double precision
    FROM subscriptions s
    LEFT JOIN LATERAL (
        SELECT o.due_at FROM outbox o
        WHERE o.subscription_id = s.id AND o.state = 'due' AND o.due_at > now() ORDER BY o.due_at LIMIT 1
    ) ahead ON true
    LEFT JOIN LATERAL (
        SELECT s.paced_until + make_interval(secs => 1 / s.rate_limit) AS due_at FROM outbox o
        WHERE s.paced_until + make_interval(secs => 1 / s.rate_limit) > now()
          AND o.subscription_id = s.id AND o.state = 'due' AND o.due_at <= now() LIMIT 1
    ) paced ON true
    WHERE s.state = 'active'
       OR (s.state = 'tripped' AND EXISTS (SELECT FROM outbox o WHERE o.subscription_id = s.id AND o.state = 'due'));
$$;
