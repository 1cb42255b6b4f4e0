-- Monthly partitions. Each table also has a default partition, so that no clock can make an insert fail.

CREATE TABLE receipts_default PARTITION OF receipts DEFAULT;
CREATE TABLE endings_default PARTITION OF endings DEFAULT;
CREATE TABLE raw_bodies_default PARTITION OF raw_bodies DEFAULT;
CREATE TABLE revisions_default PARTITION OF revisions DEFAULT;
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;

-- Make the partitions of this month and of the `ahead` months after it. Months begin at midnight UTC.
-- Returns the names of those it made. A month whose rows already went to the default partition is left there.
CREATE FUNCTION ensure_partitions(ahead integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    month  timestamp;
    child  text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('alert-intake partitions'));
    FOREACH parent IN ARRAY ARRAY['receipts', 'endings', 'raw_bodies', 'revisions', 'attempts'] LOOP
        FOR step IN 0..ahead LOOP
            month := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => step);
            child := parent || to_char(month, '"_"YYYY"_"MM');
            CONTINUE WHEN to_regclass(child) IS NOT NULL;
            BEGIN
                EXECUTE format(
                    'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    child, parent, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC'
                );
                RETURN NEXT child;
            EXCEPTION WHEN check_violation THEN
                RAISE WARNING 'rows of % already lie in the default partition of %', child, parent;
            END;
        END LOOP;
    END LOOP;
END;
$$;

SELECT ensure_partitions(3);
