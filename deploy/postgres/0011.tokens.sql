-- Who may ask the console. Of a token only a keyed digest is kept: neither this table nor a backup of it lets anybody in.
CREATE TABLE tokens (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    role         text NOT NULL CHECK (role IN ('read', 'operate')),
    digest       bytea NOT NULL UNIQUE,
    made_at      timestamptz NOT NULL DEFAULT now(),
    -- NULL: never. `last_used_at` is exact to a minute.
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
-- Two that are in use never bear one name: it is the actor of what is noted in `operations`.
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;
