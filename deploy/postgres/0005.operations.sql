-- What people did by hand: who, when, what, to what. `actor` is the operating system's user of the command, or 'console'.
CREATE TABLE operations (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    note    text
);
CREATE INDEX operations_subject ON operations (subject, id);

-- The request id under which a rejection went through the journal again: its receipt tells what became of it.
ALTER TABLE rejections ADD COLUMN replayed_as uuid;

-- Without it each event that retention deletes would be looked for in the whole outbox, for the foreign key's sake.
CREATE INDEX outbox_event_id ON outbox (event_id);
