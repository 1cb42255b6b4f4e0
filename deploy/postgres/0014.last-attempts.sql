-- The last attempt of each subscription, whatever waits for it and however long ago that was.
CREATE INDEX attempts_subscription ON attempts (subscription_id, attempted_at);
